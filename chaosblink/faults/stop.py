"""Stop: an instance is shut down in order (SIGTERM) and kept down until the fault is reverted."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from chaosblink.faults import processes
from chaosblink.faults.effect import Effect, FaultError, Victim, alive, instances_of
from chaosblink.targets import Instance, Target
from chaosblink.waiting import until

SHUTDOWN_S = 30.0
"""A supervisor asks, waits (10 s locally, 30 s by a kubelet's default) and then kills."""


class Stop:
    """Orderly shutdown, no restart. t0 is when the first victim's main process was seen gone."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Stop every victim at the same time and return once all are down."""
        asked = time.monotonic_ns()
        pairs = list(zip(victims, instances_of(self._target, victims), strict=True))
        with ThreadPoolExecutor(max_workers=len(pairs)) as pool:
            proofs = list(pool.map(lambda pair: self._stop(*pair), pairs))
        return Effect("stop", victims, min(p["gone_at"] for p in proofs), {"asked": asked, "victims": proofs})

    def revert(self, effect: Effect) -> None:
        """Have the supervisor run every victim again."""
        for victim, instance in zip(effect.victims, instances_of(self._target, effect.victims), strict=True):
            self._target.start(instance)
            until(partial(alive, self._target, instance), 10, f"{victim.instance} is started")

    def residue(self, victims: list[Victim]) -> list[str]:
        """Victims that are still down."""
        pairs = zip(victims, instances_of(self._target, victims), strict=True)
        return [f"{v.instance} is down" for v, instance in pairs if not alive(self._target, instance)]

    def _stop(self, victim: Victim, instance: Instance) -> dict[str, Any]:
        main = {victim.pid: victim.processes[victim.pid]}
        with processes.held(main) as handles, ThreadPoolExecutor(max_workers=1) as watcher:
            if not handles:
                raise FaultError(f"stop: {victim.instance} ended before it was stopped")
            end = watcher.submit(processes.ends, handles, SHUTDOWN_S)
            self._target.stop(instance)
            gone = end.result()
        if victim.pid not in gone or self._target.lifetime(instance) is not None:
            raise FaultError(f"stop: {victim.instance} is still up")
        return {"instance": victim.instance, "pid": victim.pid, "started": victim.started, "gone_at": gone[victim.pid]}
