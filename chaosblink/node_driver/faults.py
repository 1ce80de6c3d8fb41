"""Whole-node faults by the container engine: kill and pause; cutting a node off is as with any other instance."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from chaosblink.faults import journal, processes
from chaosblink.faults.effect import Effect, Fault, FaultError, Victim, instances_of, snapshot
from chaosblink.faults.isolate import Isolate
from chaosblink.node_driver.nodes import Nodes
from chaosblink.selectors import resolve
from chaosblink.targets import Instance
from chaosblink.waiting import until

DEATH_S, STATE_S = 10.0, 10.0
"""Seconds until a killed node's first process is gone, and until the engine says what was asked for."""


LASTING_S = 30.0
"""A process that has lived for this long is a server or what holds one, and no probe's."""


class ByEngine:
    """The driver of a kind cluster's nodes."""

    def __init__(self, target: Nodes) -> None:
        self._target = target

    def victims(self, selector: str, seed: int | None) -> list[Victim]:
        """The present lives of the nodes a selector names."""
        return [snapshot(self._target, instance) for instance in resolve(self._target, selector, seed)]

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:  # noqa: ARG002 - the guardian ends it
        """The fault of that name; FaultError when nodes have none or it has no such argument."""
        kinds: dict[str, Callable[..., Fault]] = {"kill": KillNode, "pause": PauseNode, "isolate": Isolate}
        if name not in kinds:
            raise FaultError(f"{name} is no fault of a node; there are {', '.join(kinds)}")
        try:
            return OneNode(self._target, kinds[name](self._target, **arguments))
        except TypeError as error:
            raise FaultError(f"{name}: {error}") from None


class OneNode:
    """A fault that is refused while another node is broken: no experiment names more than one."""

    def __init__(self, target: Nodes, fault: Fault) -> None:
        self._target, self._fault = target, fault

    def inject(self, victims: list[Victim]) -> Effect:
        """Inject it."""
        entries = [journal.load(place) for place in journal.open_faults(self._target)]
        named = {victim.instance for entry in entries for victim in entry.victims} | {v.instance for v in victims}
        if len(named) != 1:
            raise FaultError(f"one node is broken at a time, and these would be: {', '.join(sorted(named))}")
        return self._fault.inject(victims)

    def revert(self, effect: Effect) -> None:
        """Undo it."""
        self._fault.revert(effect)

    def residue(self, victims: list[Victim]) -> list[str]:
        """What of it is left."""
        return self._fault.residue(victims)


class KillNode:
    """Every process of a node ends at once, as when its machine lost power.

    t0 is when the first of those that had lived for a while was seen gone: the kernel ends them one after the other,
    the node's own first process last, on a busy machine seconds later. A short-lived one may end by itself meanwhile.
    """

    def __init__(self, target: Nodes) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Kill and return once the engine, too, says that the node is down."""
        asked = time.monotonic_ns()
        proofs = [self._kill(v, i) for v, i in zip(victims, instances_of(self._target, victims), strict=True)]
        t0 = min(proof["first_gone_at"] for proof in proofs)
        return Effect("kill", victims, t0, {"asked": asked, "victims": proofs})

    def revert(self, effect: Effect) -> None:
        """Start the node again, at the address it had."""
        for instance in instances_of(self._target, effect.victims):
            self._target.start(instance)

    def residue(self, victims: list[Victim]) -> list[str]:
        """Nodes that are down, or have come back at another address."""
        lines = []
        for instance in instances_of(self._target, victims):
            found, before = self._target.container(instance), self._target.machine(instance)
            if not found.runs:
                lines.append(f"{instance.name} is down")
            elif found.address != before.address:
                lines.append(f"{instance.name} is at {found.address or 'no address'} and was at {before.address}")
        return lines

    def _kill(self, victim: Victim, instance: Instance) -> dict[str, Any]:
        lasting = {pid: tick for pid, tick in victim.processes.items() if pid == victim.pid or _lasts(pid)}
        with processes.held(lasting) as handles, ThreadPoolExecutor(max_workers=1) as watcher:
            if victim.pid not in handles:
                raise FaultError(f"kill: {victim.instance} ended before it was killed")
            end = watcher.submit(processes.ends, handles, DEATH_S)
            self._target.engine.kill(victim.instance)
            gone = end.result()
        if victim.pid not in gone:
            raise FaultError(f"kill: the first process of {victim.instance} is still there")
        until(lambda: not self._target.container(instance).runs, STATE_S, f"{victim.instance} is down")
        return {
            "instance": victim.instance,
            "pid": victim.pid,
            "started": victim.started,
            "first_gone_at": min(gone.values()),
            "gone_at": gone[victim.pid],
            "processes": len(gone),
        }


def _lasts(pid: int) -> bool:
    try:
        return time.time() - psutil.Process(pid).create_time() > LASTING_S
    except psutil.NoSuchProcess:
        return False


class PauseNode:
    """Every process of a node is frozen, its kernel's part of the network is not.

    t0 is when the engine was asked: it tells that a node is frozen only afterwards, and the earlier bound counts.
    """

    def __init__(self, target: Nodes) -> None:
        self._target = target

    def inject(self, victims: list[Victim]) -> Effect:
        """Freeze and return once the engine says so."""
        asked = time.monotonic_ns()
        proofs = []
        for victim, instance in zip(victims, instances_of(self._target, victims), strict=True):
            self._target.engine.pause(victim.instance)
            until(lambda i=instance: self._paused(i), STATE_S, f"{victim.instance} is frozen")  # type: ignore[misc]
            proofs.append(
                {
                    "instance": victim.instance,
                    "pid": victim.pid,
                    "started": victim.started,
                    "frozen_at": time.monotonic_ns(),
                }
            )
        return Effect("pause", victims, asked, {"asked": asked, "victims": proofs})

    def revert(self, effect: Effect) -> None:
        """Let every frozen node go on."""
        for instance in instances_of(self._target, effect.victims):
            if self._paused(instance):
                self._target.engine.unpause(instance.name)

    def residue(self, victims: list[Victim]) -> list[str]:
        """Nodes that are frozen."""
        frozen = [instance.name for instance in instances_of(self._target, victims) if self._paused(instance)]
        return [f"{name} is frozen" for name in frozen]

    def _paused(self, instance: Instance) -> bool:
        return self._target.container(instance).status == "paused"
