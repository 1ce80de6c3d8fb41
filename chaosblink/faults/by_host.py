"""Faults of whole nodes: a driver on the nodes' host carries them out; whoever runs on the node is a victim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from chaosblink.agent.client import Agent
from chaosblink.faults import OF_NODES, journal
from chaosblink.faults.by_agents import AgentFault, refuse_unknown
from chaosblink.faults.effect import Effect, Fault, FaultError, Victim
from chaosblink.selectors import CONTROL_PLANE, resolve
from chaosblink.targets import PlatformError, Target

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

ARGUMENTS = {"node-isolate": {"inbound", "outbound"}}
T = TypeVar("T")


class ByHost:
    """The driver of a kind cluster's nodes, as a run in the cluster sees it."""

    def __init__(self, target: Target) -> None:
        self._target: KubernetesTarget = target  # type: ignore[assignment] # the only target of this kind

    def victims(self, selector: str, seed: int | None) -> list[Victim]:
        """Every instance on the node of whom a selector names; of a node that carries none, the node by its name.

        FaultError when the selector names several nodes, or the driver refuses the node.
        """
        (content,) = self._target.host().ask("lifetimes", {"pods": [self._meant(selector, seed)]}).result
        node = journal.victim_of(content)
        carried = [instance.name for instance in self._target.instances() if instance.node == node.instance]
        return [replace(node, instance=name) for name in carried or [node.instance]]

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:
        """The fault of that name; FaultError when it has no such argument."""
        refuse_unknown(name, arguments, ARGUMENTS)
        return NodeFault(self._target, name, ttl, arguments)

    def _meant(self, selector: str, seed: int | None) -> dict[str, str]:
        if selector == CONTROL_PLANE:
            return {"role": CONTROL_PLANE}
        nodes = {instance.node for instance in resolve(self._target, selector, seed)}
        if len(nodes) != 1 or "" in nodes:
            raise FaultError(f"{selector} is not on one node: {', '.join(sorted(nodes))}")
        return {"name": nodes.pop()}


class NodeFault(AgentFault):
    """A fault of one node. To the run the victims are the instances on it, to the driver it is the node."""

    def __init__(self, target: KubernetesTarget, name: str, ttl: float, arguments: dict[str, Any]) -> None:
        super().__init__(target, name, ttl, arguments)
        self._verb = OF_NODES[name]

    def inject(self, victims: list[Victim]) -> Effect:
        """Have the driver inject it; what proves it of the node proves it of every instance there."""
        effect = super().inject(victims)
        (proof,) = effect.proof["victims"]
        entries = [{**proof, "instance": victim.instance, "node": victim.place["name"]} for victim in victims]
        return replace(effect, proof={**effect.proof, "victims": entries})

    def _each_node(self, victims: list[Victim], ask: Callable[[Agent, list[Victim]], T]) -> dict[str, T]:
        node = victims[0].place["name"]
        try:
            return {node: ask(self._target.host(), [replace(victims[0], instance=node)])}
        except PlatformError as error:
            raise FaultError(str(error)) from None
