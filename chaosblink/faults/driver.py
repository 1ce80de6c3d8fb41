"""Where a fault is carried out: in this process, by agents, by the nodes' host, or by a cluster's API."""

from __future__ import annotations

from typing import Any, Protocol

from chaosblink import faults
from chaosblink.faults.effect import Fault, FaultError, Victim, snapshot
from chaosblink.selectors import resolve
from chaosblink.targets import Target


class Driver(Protocol):
    """Reaches the processes of a target's instances."""

    def victims(self, selector: str, seed: int | None) -> list[Victim]:
        """The present lives of whom a selector names, in order of name; PlatformError when one is down."""

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:
        """The fault of that name; `ttl` (s) is for who carries it out elsewhere and must undo it by himself."""


class InProcess:
    """Victims are processes of this machine."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def victims(self, selector: str, seed: int | None) -> list[Victim]:
        """The present lives of whom a selector names, in order of name; PlatformError when one is down."""
        return [snapshot(self._target, instance) for instance in resolve(self._target, selector, seed)]

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:  # noqa: ARG002
        """The fault of that name."""
        return faults.of(name, self._target, **arguments)


def of(target: Target, fault: str) -> Driver:
    """The driver that carries out a fault of that name on a target; FaultError when there is none."""
    if target.kind == "nodes":
        from chaosblink.node_driver.faults import ByEngine

        return ByEngine(target)  # type: ignore[arg-type] # the only target of this kind
    if target.kind != "kubernetes":
        if fault in faults.OF_CLUSTER:
            raise FaultError(f"{fault} needs a cluster")
        return InProcess(target)
    from chaosblink.faults.by_agents import ByAgents
    from chaosblink.faults.by_api import ByApi
    from chaosblink.faults.by_host import ByHost

    if fault in faults.OF_CLUSTER:
        return ByApi(target, fault)
    return ByHost(target) if fault in faults.OF_NODES else ByAgents(target)
