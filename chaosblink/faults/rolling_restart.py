"""Rolling restart: the controllers replace every pod of a workload, as `kubectl rollout restart` has them do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chaosblink.faults.effect import Effect, FaultError, Victim
from chaosblink.faults.pods import Departures, Workload, down, workloads
from chaosblink.targets.kubernetes import changes
from chaosblink.targets.kubernetes.workloads import workload as progress
from chaosblink.waiting import until

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

ROLLED_OUT_S = 180.0
"""For each workload: three servers of 30 s to end and 30 s to be ready again."""


class RollingRestart:
    """One pod after the other, each ready before the next goes. t0 is when the first victim began to end."""

    def __init__(self, target: KubernetesTarget) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Restart the victims' workloads one after another and return once every pod of theirs is a new one, ready."""
        seen = Departures(self._target, victims)
        for workload in workloads(victims):
            changes.restart(self._target.api, *workload)
            what = f"{workload[2]} is rolled out"
            until(partial(self._rolled_out, workload, seen), ROLLED_OUT_S, what, every=0.1)
        if not seen.look():
            raise FaultError(f"rolling-restart: {', '.join(seen.left())} was not replaced")
        done = [name for _, _, name in workloads(victims)]
        return Effect("rolling-restart", victims, seen.t0, {**seen.proof(), "rolled_out": done})

    def revert(self, effect: Effect) -> None:
        """Nothing: a rollout that was begun is carried to its end by the controllers."""

    def residue(self, victims: list[Victim]) -> list[str]:
        """Workloads that are not rolled out, what they lack, and pods that are still ending."""
        behind = [f"{each[2]} is not rolled out" for each in workloads(victims) if not self._whole(each)]
        return behind + down(self._target, victims)

    def _rolled_out(self, workload: Workload, seen: Departures) -> bool:
        seen.look()
        return self._whole(workload)

    def _whole(self, workload: Workload) -> bool:
        return progress(changes.workload(self._target.api, *workload)).whole
