"""Where a fault is carried out: in this process for what runs on this machine, by the agents of a cluster otherwise."""

from __future__ import annotations

from typing import Any, Protocol

from chaosblink import faults
from chaosblink.faults.effect import Fault, Victim, snapshot
from chaosblink.targets import Instance, Target


class Driver(Protocol):
    """Reaches the processes of a target's instances."""

    def snapshot(self, instances: list[Instance]) -> list[Victim]:
        """The present lives of instances as victims, in the order given; FaultError when one is down."""

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:
        """The fault of that name; `ttl` (s) is for who carries it out elsewhere and must undo it by himself."""


class InProcess:
    """Victims are processes of this machine."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def snapshot(self, instances: list[Instance]) -> list[Victim]:
        """The present lives of instances as victims, in the order given; FaultError when one is down."""
        return [snapshot(self._target, instance) for instance in instances]

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:  # noqa: ARG002
        """The fault of that name."""
        return faults.of(name, self._target, **arguments)


def of(target: Target) -> Driver:
    """The driver of a target."""
    if target.kind != "kubernetes":
        return InProcess(target)
    from chaosblink.faults.by_agents import ByAgents

    return ByAgents(target)
