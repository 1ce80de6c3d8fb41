"""Injector down: nobody answers the Vault Agent Injector's webhook while an identity pod is deleted, until reverted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chaosblink.faults import scaling
from chaosblink.faults.effect import Effect, FaultError, Victim
from chaosblink.faults.pods import Departures, workloads
from chaosblink.targets.kubernetes import changes, names
from chaosblink.targets.kubernetes.api import Api, Json
from chaosblink.waiting import until

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

GONE_S = 60.0
"""A pod of the platform is given 30 s to end; the kubelet says so afterwards."""
TRIED_S = 30.0
"""The controller tries at once; a webhook nobody answers is given up after 10 s at the latest (its timeoutSeconds)."""
NAMESPACE, SERVICE, WEBHOOK = "blinkchamber", "vault-agent-injector-svc", "vault.hashicorp.com"


class InjectorDown:
    """The injector scaled to none, then the victims' pods deleted. t0 is when the first of those began to end.

    What became of the pods that should take their places is in the proof: refused, since the webhook's failure policy
    is `Fail`, or made without the secrets that only the injector brings. Which it is, is judged, not assumed.
    """

    def __init__(self, target: KubernetesTarget) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Take the injector away, delete the pods, and return once another was refused or made in their place."""
        api, recorded = self._target.api, scaling.recorded_of(victims)
        before = self._identitys(victims)
        self._take_away(recorded)
        begun, seen = time.monotonic_ns(), Departures(self._target, victims)
        for victim in victims:
            place = victim.place
            changes.delete_pod(api, place["namespace"], place["name"], place["uid"])
        seen.until_gone(GONE_S)
        tried = until(lambda: self._tried(victims, before), TRIED_S, "another pod is refused or made", every=0.2)
        if endpoints(api):
            raise FaultError("injector-down: the injector was back before anybody asked it")
        proof = {
            **seen.proof(),
            "begun_at": begun,
            "workload": recorded.name,
            "gone": list(recorded.pods.values()),
            "endpoints": 0,
            **tried,
        }
        return Effect("injector-down", victims, seen.t0, proof)

    def revert(self, effect: Effect) -> None:
        """Give the injector its pods again and return once all are ready; the controllers do the rest by themselves."""
        scaling.give_back(self._target.api, scaling.recorded_of(effect.victims))

    def residue(self, victims: list[Victim]) -> list[str]:
        """What the injector lacks. When identity is whole again is the round's question: refused pods are tried again
        at growing intervals."""
        return scaling.left(self._target.api, scaling.recorded_of(victims))

    def _take_away(self, recorded: scaling.Recorded) -> None:
        api = self._target.api
        changes.scale(api, recorded.namespace, recorded.name, 0)

        def away() -> bool:
            found = changes.workload(api, "Deployment", recorded.namespace, recorded.name)
            return not scaling.pods_of(api, found) and endpoints(api) == 0

        until(away, scaling.SCALED_S, f"{recorded.name} is away: no pod, no endpoint", every=0.2)

    def _identitys(self, victims: list[Victim]) -> set[str]:
        """UIDs of the victims' fellows before anything is done; FaultError when pods are being refused already."""
        found = self._deployment(victims)
        if refusal(found):
            raise FaultError(f"injector-down: pods are refused already: {refusal(found)}")
        return {pod["metadata"]["uid"] for pod in scaling.pods_of(self._target.api, found)}

    def _tried(self, victims: list[Victim], before: set[str]) -> dict[str, Any]:
        """What became of the pods that should take the victims' places; empty before anything did."""
        found = self._deployment(victims)
        now = scaling.pods_of(self._target.api, found)
        made = [pod["metadata"]["name"] for pod in now if pod["metadata"]["uid"] not in before]
        refused = refusal(found)
        return {"refused": refused, "made": made} if refused or made else {}

    def _deployment(self, victims: list[Victim]) -> Json:
        ((_, namespace, name),) = workloads(victims)
        return changes.workload(self._target.api, "Deployment", namespace, name)


def note(target: KubernetesTarget, victims: list[Victim]) -> list[Victim]:
    """The victims with the injector as it is; FaultError when they are of another kind, or it is not whole.

    To be asked before the fault is written down.
    """
    if [workload[:2] for workload in workloads(victims)] != [("Deployment", "identity")]:
        raise FaultError("injector-down: only identity's pods are injected")
    return scaling.noted(victims, scaling.record(target.api, NAMESPACE, names.INJECTOR))


def endpoints(api: Api) -> int:
    """To how many pods the webhook's Service sends anybody."""
    what, selector = f"list endpointslices of {SERVICE}", f"kubernetes.io/service-name={SERVICE}"
    slices = api.ask(what, api.discovery.list_namespaced_endpoint_slice, NAMESPACE, label_selector=selector)["items"]
    ends = [end for each in slices for end in each.get("endpoints") or []]
    return len([end for end in ends if (end.get("conditions") or {}).get("ready", True)])


def refusal(deployment: Json) -> str:
    """Why its pods cannot be made, when the injector's webhook is the reason; else empty."""
    for condition in deployment.get("status", {}).get("conditions") or []:
        said = " ".join(str(condition.get("message", "")).split())
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True" and WEBHOOK in said:
            return said[:300]
    return ""
