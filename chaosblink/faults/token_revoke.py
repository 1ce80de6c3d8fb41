"""Token revoke: identity's service account is deleted and made again, so that no token of its pods is good any more."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hvac

from chaosblink import components
from chaosblink.faults import scaling
from chaosblink.faults.effect import Effect, FaultError, Victim, bracket
from chaosblink.faults.pods import workloads
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import changes, names
from chaosblink.waiting import until

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

NAMESPACE, PLACE = "identity", "account"
REFUSED_S = 30.0
"""The API server may take a token for 10 s after it has taken it once."""
RESTARTED_S = 100.0
"""Two or three pods one after the other, each given 30 s to end and to be ready at the worst."""


class TokenRevoke:
    """A token is bound to the UID of its account, and the account made again has another. t0 is when the first went.

    It is tried and not assumed: a token is asked for in the name of each victim, as the kubelet asks, Vault lets it in
    before, and refuses it afterwards. Tokens stay in this process's memory. A pod gets a good token with its next life
    only, so reverting replaces every pod, and each must log in to Vault anew.
    """

    def __init__(self, target: KubernetesTarget) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Revoke and return once Vault refuses the token of every victim, none of which was restarted meanwhile."""
        api, account = self._target.api, victims[0].place[PLACE]
        tokens = {victim.instance: self._token(victim) for victim in victims}
        if shut := [name for name, token in tokens.items() if not admits(self._target, token)]:
            raise FaultError(f"token-revoke: Vault does not let {', '.join(shut)} in: there is nothing to revoke")
        changes.apply_account(api, NAMESPACE, account["body"], rehearse=True)
        asked = time.monotonic_ns()
        changes.delete_account(api, NAMESPACE, names.IDENTITY, account["uid"])
        answered = time.monotonic_ns()
        changes.apply_account(api, NAMESPACE, account["body"])
        left = dict(tokens)

        def refused() -> bool:
            for name in list(left):
                if not admits(self._target, left[name]):
                    del left[name]
            return not left

        until(refused, REFUSED_S, "Vault refuses every revoked token", every=0.5)
        if gone := [victim.instance for victim in victims if not self._holds(victim)]:
            raise FaultError(f"token-revoke: {', '.join(gone)} was replaced meanwhile, and has a good token")
        proof = {
            "victims": [_entry(victim) for victim in victims],
            "bracket": bracket(asked, answered),
            "account": {"revoked": account["uid"], "now": self._account_uid()},
        }
        return Effect("token-revoke", victims, asked, proof)

    def revert(self, effect: Effect) -> None:
        """Make the account again if it is not there, and have every pod replaced that holds a revoked token."""
        api, victims = self._target.api, effect.victims
        account = victims[0].place[PLACE]
        if not self._account_uid():
            changes.apply_account(api, NAMESPACE, account["body"])
        if self._stale(victims):
            changes.restart(api, *workloads(victims)[0])
        until(lambda: not self.residue(victims), RESTARTED_S, "every pod has a good token", every=0.2)

    def residue(self, victims: list[Victim]) -> list[str]:
        """An account that is gone, pods that hold a revoked token, and what their Deployment lacks."""
        gone = [] if self._account_uid() else [f"the service account {NAMESPACE}/{names.IDENTITY} is gone"]
        stale = [f"{name} holds a revoked token" for name in self._stale(victims)]
        return gone + stale + scaling.left(self._target.api, scaling.recorded_of(victims))

    def _stale(self, victims: list[Victim]) -> list[str]:
        """Names of pods whose token was bound to an account that is gone: those of before, once it has another UID."""
        if self._account_uid() == victims[0].place[PLACE]["uid"]:
            return []
        recorded = scaling.recorded_of(victims)
        found = {name: changes.pod(self._target.api, recorded.namespace, name) for name in recorded.pods}
        return [name for name, pod in found.items() if pod and pod["metadata"]["uid"] == recorded.pods[name]]

    def _holds(self, victim: Victim) -> bool:
        pod = changes.pod(self._target.api, victim.place["namespace"], victim.place["name"])
        return pod is not None and pod["metadata"]["uid"] == victim.place["uid"] and not scaling.ending(pod)

    def _account_uid(self) -> str:
        found = changes.account(self._target.api, NAMESPACE, names.IDENTITY)
        return str(found["metadata"]["uid"]) if found else ""

    def _token(self, victim: Victim) -> str:
        pod = (victim.place["name"], victim.place["uid"])
        return self._target.account_token(NAMESPACE, names.IDENTITY, pod)


def note(target: KubernetesTarget, victims: list[Victim]) -> list[Victim]:
    """The victims with their account and their Deployment as they are; FaultError when they are not identity's.

    To be asked before the fault is written down.
    """
    if workloads(victims) != [("Deployment", NAMESPACE, names.IDENTITY)]:
        raise FaultError("token-revoke: only identity logs in to Vault with the token of its pods")
    recorded = scaling.record(target.api, NAMESPACE, names.IDENTITY)
    if len(victims) != recorded.replicas:
        raise FaultError("token-revoke: all pods share the account, so all are victims: identity/*")
    found = changes.account(target.api, NAMESPACE, names.IDENTITY)
    if found is None:
        raise FaultError(f"token-revoke: there is no service account {NAMESPACE}/{names.IDENTITY}")
    account = {"uid": found["metadata"]["uid"], "body": changes.made_again(found)}
    noted = scaling.noted(victims, recorded)
    return [replace(victim, place={**victim.place, PLACE: account}) for victim in noted]


def admits(target: KubernetesTarget, token: str) -> bool:
    """Whether Vault lets a token of identity's account in; PlatformError when it says neither yes nor no."""
    client = components.of(target, "vault").client()
    try:
        client.auth.kubernetes.login(names.APP_ROLE, token, use_token=False)
    except hvac.exceptions.Forbidden:
        return False
    except (hvac.exceptions.VaultError, OSError) as error:  # its words may quote what it was given
        raise PlatformError(f"Vault said neither yes nor no to a token: {type(error).__name__}") from None
    return True


def _entry(victim: Victim) -> dict[str, Any]:
    return {"instance": victim.instance, "uid": victim.place["uid"], "admitted_before": True, "refused_after": True}
