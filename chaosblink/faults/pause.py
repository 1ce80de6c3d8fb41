"""Pause: every process of an instance is frozen by SIGSTOP, as in a long garbage collection or a stalled machine."""

from __future__ import annotations

import signal
import time
from typing import Any

from chaosblink.faults import processes
from chaosblink.faults.effect import Effect, FaultError, Victim, instances_of
from chaosblink.targets import Instance, Target
from chaosblink.waiting import Timeout, until

FREEZE_S = 5.0


class Pause:
    """SIGSTOP for the whole process tree. t0 is when all of the first victim's processes were seen in state T."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Freeze and return once every process of every victim is in state T."""
        asked = time.monotonic_ns()
        for victim in victims:
            _signal(victim.processes, signal.SIGSTOP)
        proofs = [self._frozen(v, i) for v, i in zip(victims, instances_of(self._target, victims), strict=True)]
        t0 = min(proof["frozen_at"] for proof in proofs)
        return Effect("pause", victims, t0, {"asked": asked, "victims": proofs})

    def revert(self, effect: Effect) -> None:
        """SIGCONT to every process of the victims that is in state T."""
        for victim, instance in zip(effect.victims, instances_of(self._target, effect.victims), strict=True):
            frozen = {pid: tick for pid, tick in self._known(victim, instance).items() if processes.stopped(pid)}
            _signal(frozen, signal.SIGCONT)

    def residue(self, victims: list[Victim]) -> list[str]:
        """Processes of the victims that are in state T."""
        lines = []
        for victim, instance in zip(victims, instances_of(self._target, victims), strict=True):
            frozen = sorted(pid for pid in self._known(victim, instance) if processes.stopped(pid))
            if frozen:
                lines.append(f"{victim.instance}: processes {frozen} are stopped (state T)")
        return lines

    def _frozen(self, victim: Victim, instance: Instance) -> dict[str, Any]:
        try:
            until(lambda: self._all_stopped(victim, instance), FREEZE_S, f"{victim.instance} is frozen", every=0.002)
        except Timeout as timeout:
            raise FaultError(f"pause: {timeout}") from None
        return {
            "instance": victim.instance,
            "pid": victim.pid,
            "started": victim.started,
            "pids": sorted(self._known(victim, instance)),
            "frozen_at": time.monotonic_ns(),
        }

    def _all_stopped(self, victim: Victim, instance: Instance) -> bool:
        if processes.started(victim.pid) != victim.processes[victim.pid]:
            return False  # its main process ended before it froze
        running = {pid: tick for pid, tick in self._known(victim, instance).items() if not processes.stopped(pid)}
        _signal(running, signal.SIGSTOP)
        return not running

    def _known(self, victim: Victim, instance: Instance) -> dict[int, int]:
        """Every process of the instance now, and those of the recorded life that still exist."""
        recorded = {pid: tick for pid, tick in victim.processes.items() if processes.started(pid) == tick}
        now = {pid: tick for pid in self._target.processes(instance) if (tick := processes.started(pid)) is not None}
        return recorded | now


def _signal(ticks: dict[int, int], number: signal.Signals) -> None:
    with processes.held(ticks) as handles:
        processes.send(handles, number)
