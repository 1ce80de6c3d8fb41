"""Kill: every process of an instance ends at once, by SIGKILL, as when its machine lost power."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from chaosblink.faults import processes
from chaosblink.faults.effect import Effect, FaultError, Victim, alive, instances_of
from chaosblink.targets import Instance, Target
from chaosblink.waiting import Timeout, until

DEATH_S = 5.0
"""SIGKILL is delivered at once; a process in uninterruptible sleep may take until its disk answers."""
RESTART_S = 20.0
"""A supervisor restarts within a second; only its delay after repeated deaths is longer (kubelet: 10 s, 20 s)."""


class Kill:
    """SIGKILL for the whole process tree. t0 is when the first victim's main process was seen gone."""

    def __init__(self, target: Target, stays_down: bool = False) -> None:
        """`stays_down`: the supervisor does not restart the victims until the fault is reverted, as when the machine
        they ran on is gone with them."""
        self._target, self._stays_down = target, stays_down

    def inject(self, victims: list[Victim]) -> Effect:
        """Kill and return once no process of the victims' old lives is left."""
        asked = time.monotonic_ns()
        ticks = {pid: tick for victim in victims for pid, tick in _main_first(victim).items()}
        with processes.held(ticks) as handles:
            signalled = time.monotonic_ns()
            processes.send(handles, signal.SIGKILL)
            gone = processes.ends(handles, DEATH_S)
            outlived = sorted(set(handles) - set(gone))
        self._kill_newborn(victims)
        mains = [victim.pid for victim in victims]
        if outlived or not set(mains) <= set(gone):
            missed = sorted(set(mains) - set(gone))
            raise FaultError(f"kill: still alive after SIGKILL: {outlived}; main processes not seen to end: {missed}")
        if self._stays_down:
            self._hold_down(victims)
        return Effect(
            "kill",
            victims,
            min(gone[pid] for pid in mains),
            _proof(victims, gone, {"asked": asked, "signalled": signalled}),
        )

    def revert(self, effect: Effect) -> None:
        """Nothing to undo while the supervisor restarts the instance; one that stays down is started."""
        if self._stays_down:
            for instance in instances_of(self._target, effect.victims):
                self._target.start(instance)
        for victim, instance in zip(effect.victims, instances_of(self._target, effect.victims), strict=True):
            try:
                until(partial(alive, self._target, instance), RESTART_S, f"{victim.instance} is restarted")
            except Timeout:
                self._target.start(instance)

    def residue(self, victims: list[Victim]) -> list[str]:
        """Instances that are down, and processes of the old life that still run."""
        lines = []
        for victim, instance in zip(victims, instances_of(self._target, victims), strict=True):
            if not alive(self._target, instance):
                lines.append(f"{victim.instance} is down")
            left = [pid for pid, tick in victim.processes.items() if processes.started(pid) == tick]
            # a victim that was planned and never reached is alive in its old life, and nothing is wrong with it
            if left and victim.pid not in left:
                lines.append(f"{victim.instance}: processes {left} of the killed life still run")
        return lines

    def _hold_down(self, victims: list[Victim]) -> None:
        """After the kill and not before it, since stopping asks a server to end in order; all victims side by side."""
        instances = instances_of(self._target, victims)
        with ThreadPoolExecutor(max_workers=len(instances)) as pool:
            list(pool.map(self._target.stop, instances))
        up = [instance.name for instance in instances if alive(self._target, instance)]
        if up:
            raise FaultError(f"kill: {', '.join(up)} came back although it was to stay down")

    def _kill_newborn(self, victims: list[Victim]) -> None:
        """Children born between the snapshot and the signal end too, and nothing of the next life does."""
        for victim, instance in zip(victims, instances_of(self._target, victims), strict=True):
            until(partial(self._buried, victim, instance), DEATH_S, f"{victim.instance} is gone", every=0.005)

    def _buried(self, victim: Victim, instance: Instance) -> bool:
        """Whether nothing of the old life is left; what is left is killed."""
        found = {pid: tick for pid in self._target.processes(instance) if (tick := processes.started(pid)) is not None}
        life = self._target.lifetime(instance)  # asked after the list: a life that begins in between is in both
        if life is not None and life.pid != victim.pid:
            born = processes.started(life.pid)
            found = {pid: tick for pid, tick in found.items() if born is not None and tick < born}
        with processes.held(found) as handles:
            processes.send(handles, signal.SIGKILL)
        return not found


def _main_first(victim: Victim) -> dict[int, int]:
    # a start script that sees its server die would still react; killed first, it cannot
    return dict(sorted(victim.processes.items(), key=lambda item: item[0] != victim.pid))


def _proof(victims: list[Victim], gone: dict[int, int], bracket: dict[str, int]) -> dict[str, Any]:
    """`signalled` (ns) and a victim's `gone_at` bracket its death."""
    return {
        **bracket,
        "victims": [
            {
                "instance": victim.instance,
                "pid": victim.pid,
                "started": victim.started,
                "gone_at": gone[victim.pid],
                "pids_gone_at": {str(pid): gone[pid] for pid in victim.processes if pid in gone},
            }
            for victim in victims
        ],
    }
