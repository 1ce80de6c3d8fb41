"""Pod delete: a pod is deleted through the API, and its workload's controller puts another in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosblink.faults.effect import Effect, Victim
from chaosblink.faults.pods import Departures, down
from chaosblink.targets.kubernetes import changes

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

GONE_S = 60.0
"""A pod of the platform is given 30 s to end; the kubelet says so afterwards."""


class PodDelete:
    """SIGTERM, the pod's grace period, SIGKILL; or by force. t0 is when the first deletion was sent."""

    def __init__(self, target: KubernetesTarget, force: bool = False) -> None:
        """`force`: the API forgets the pod at once, and nobody waits for its processes to end; a kubelet kills what is
        left after 2 s, when the next pod of that name may run already."""
        self._target, self._force = target, force

    def inject(self, victims: list[Victim]) -> Effect:
        """Delete every victim and return once the API has none of these pods any more."""
        seen = Departures(self._target, victims)
        for victim in victims:
            place = victim.place
            grace = 0 if self._force else None
            changes.delete_pod(self._target.api, place["namespace"], place["name"], place["uid"], grace)
        seen.until_gone(GONE_S)
        return Effect("pod-delete", victims, seen.t0, {**seen.proof(), "force": self._force})

    def revert(self, effect: Effect) -> None:
        """Nothing: the controllers make other pods by themselves, and a deletion cannot be taken back."""

    def residue(self, victims: list[Victim]) -> list[str]:
        """What the victims' workloads lack, and pods that are still ending."""
        return down(self._target, victims)
