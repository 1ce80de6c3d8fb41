"""Faults by a cluster's API: victims are pods, and this process itself asks the API to break them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaosblink import faults
from chaosblink.faults import injector_down, scale, token_revoke
from chaosblink.faults.drain import permit
from chaosblink.faults.effect import Fault, FaultError, Victim
from chaosblink.faults.pods import snapshot
from chaosblink.selectors import resolve
from chaosblink.targets import Instance, Target

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

WITHOUT = " without "
NOTED = {"scale": scale.note, "injector-down": injector_down.note, "token-revoke": token_revoke.note}
"""What undoing a fault needs to know and must be written down before it, beside the victims themselves."""


class ByApi:
    """The driver of one kind of fault, by its name."""

    def __init__(self, target: Target, fault: str) -> None:
        self._target: KubernetesTarget = target  # type: ignore[assignment] # the only target of this kind
        self._fault = fault

    def victims(self, selector: str, seed: int | None) -> list[Victim]:
        """The present pods of whom a selector names, in order of name; of a drain all that are on their node.

        What undoing it needs to know stands in their places. PlatformError when one is down.
        """
        chosen = self._on_its_node(selector, seed) if self._fault == "drain" else resolve(self._target, selector, seed)
        victims = [snapshot(self._target, instance) for instance in chosen]
        return NOTED[self._fault](self._target, victims) if self._fault in NOTED else victims

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:  # noqa: ARG002
        """The fault of that name."""
        return faults.of(name, self._target, **arguments)

    def _on_its_node(self, selector: str, seed: int | None) -> list[Instance]:
        """All on the node of whom `selector` names: `vault/* without pgpool/*, edge/*` is a node of a Vault server that
        carries neither PgPool nor edge. Of several nodes the first by name; FaultError when it may not be drained."""
        wanted, _, spared = selector.partition(WITHOUT)
        avoided = {one.node for each in spared.split(", ") if each for one in resolve(self._target, each, seed)}
        nodes = sorted({instance.node for instance in resolve(self._target, wanted, seed)} - avoided - {""})
        if not nodes:
            raise FaultError(f"{selector} names no node now: a fault on nothing is an error")
        permit(self._target, nodes[0])
        return [instance for instance in self._target.instances() if instance.node == nodes[0]]
