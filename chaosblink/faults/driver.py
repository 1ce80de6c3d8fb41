"""Where a fault is carried out: in this process for what runs on this machine, else by agents or by the nodes' host."""

from __future__ import annotations

from typing import Any, Protocol

from chaosblink import faults
from chaosblink.faults.effect import Fault, Victim, snapshot
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
    """The driver that carries out a fault of that name on a target."""
    if target.kind == "nodes":
        from chaosblink.node_driver.faults import ByEngine

        return ByEngine(target)  # type: ignore[arg-type] # the only target of this kind
    if target.kind != "kubernetes":
        return InProcess(target)
    from chaosblink.faults.by_agents import ByAgents
    from chaosblink.faults.by_host import ByHost

    return ByHost(target) if fault in faults.OF_NODES else ByAgents(target)
