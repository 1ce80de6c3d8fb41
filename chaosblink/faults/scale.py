"""Scale: a Deployment gets one pod more, as `kubectl scale` does it, and is back at its number when it is reverted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chaosblink.faults import scaling
from chaosblink.faults.effect import Effect, FaultError, Victim, bracket
from chaosblink.faults.pods import workloads
from chaosblink.targets.kubernetes import changes
from chaosblink.targets.kubernetes.api import Json
from chaosblink.waiting import until

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget


class Scale:
    """Out by one pod, and in again by `revert`. t0 is when the new number was sent.

    Its victims are the pods that are there: they get company, and one of all loses it again.
    """

    def __init__(self, target: KubernetesTarget) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Scale out and return once the new pod is ready beside all that were there."""
        recorded = scaling.recorded_of(victims)
        asked = time.monotonic_ns()
        changes.scale(self._target.api, recorded.namespace, recorded.name, recorded.replicas + 1)
        answered = time.monotonic_ns()
        what = f"{recorded.name} has a pod more, ready"
        now = until(lambda: self._grown(recorded), scaling.SCALED_S, what, every=0.2)
        new = [pod["metadata"]["uid"] for pod in now if pod["metadata"]["uid"] not in recorded.pods.values()]
        proof = {
            "victims": [_entry(victim, new) for victim in victims],
            "bracket": bracket(asked, answered),
            "workload": recorded.name,
            "ready_before": recorded.replicas,
            "ready_after": len(now),
            "nodes": {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in now},
        }
        return Effect("scale", victims, asked, proof)

    def revert(self, effect: Effect) -> None:
        """Scale in and return once the number of pods is what it was."""
        scaling.give_back(self._target.api, scaling.recorded_of(effect.victims))

    def residue(self, victims: list[Victim]) -> list[str]:
        """A number that is not the one recorded, pods it lacks, and pods that have still to end."""
        return scaling.left(self._target.api, scaling.recorded_of(victims))

    def _grown(self, recorded: scaling.Recorded) -> list[Json]:
        """The pods that serve, once they are all that did and one more; nothing before."""
        found = changes.workload(self._target.api, "Deployment", recorded.namespace, recorded.name)
        now = scaling.serving(scaling.pods_of(self._target.api, found))
        uids = {pod["metadata"]["uid"] for pod in now}
        return now if uids > set(recorded.pods.values()) and len(now) == recorded.replicas + 1 else []


def note(target: KubernetesTarget, victims: list[Victim]) -> list[Victim]:
    """The victims with their Deployment as it is; FaultError when they are of another kind, of several, or not whole.

    To be asked before the fault is written down.
    """
    (kind, namespace, name), *others = workloads(victims)
    if kind != "Deployment" or others:
        raise FaultError(f"scale: one Deployment at a time, not {', '.join(each[2] for each in workloads(victims))}")
    return scaling.noted(victims, scaling.record(target.api, namespace, name))


def _entry(victim: Victim, new: list[str]) -> dict[str, object]:
    return {"instance": victim.instance, "uid": victim.place["uid"], "beside": new[0] if new else None}
