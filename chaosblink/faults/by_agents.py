"""Faults in a cluster: the agent of each victim's node carries them out; its times are put on the run's clock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

from chaosblink.agent.client import Agent, Reply
from chaosblink.agent.partition import own_addresses
from chaosblink.agent.verbs import FAULTS
from chaosblink.faults import journal
from chaosblink.faults.effect import Effect, Fault, FaultError, Victim, bracket
from chaosblink.selectors import resolve
from chaosblink.targets import PlatformError, Target

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

GONE, DROPPED = ("first_gone_at", "gone_at", "frozen_at"), ("cut", "first_drop_after", "first_drop_before")
MOMENTS = ("asked", "signalled", *GONE, *DROPPED)
"""Keys of a proof that hold a moment of the agent's clock; `pids_gone_at` holds one a process."""
ARGUMENTS = {"kill": {"stays_down"}, "isolate": {"inbound", "outbound", "clients"}}
INJECTING_S, UNDOING_S = 60.0, 90.0
CONTACT_EVERY_S = 3.0
T = TypeVar("T")


class ByAgents:
    """The driver of a cluster."""

    def __init__(self, target: Target) -> None:
        self._target: KubernetesTarget = target  # type: ignore[assignment] # the only target of this kind

    def victims(self, selector: str, seed: int | None) -> list[Victim]:
        """The present lives of whom a selector names, in order of name; PlatformError when one is down."""
        instances, found = resolve(self._target, selector, seed), {}
        for node in sorted({instance.node for instance in instances}):
            if not node:
                raise FaultError(f"{', '.join(i.name for i in instances if not i.node)} is on no node: already down")
            pods = [self._target.pod_reference(instance) for instance in instances if instance.node == node]
            agent = self._target.agent(node)
            for content in agent.ask("lifetimes", {"pods": pods}).result:
                victim = journal.victim_of(content)
                found[victim.instance] = replace(victim, place={**victim.place, "node": node})
        return [found[instance.name] for instance in instances]

    def fault(self, name: str, ttl: float, arguments: dict[str, Any]) -> Fault:
        """The fault of that name; FaultError when agents have none or it has no such argument."""
        if name not in FAULTS:
            raise FaultError(f"{name} is no fault of a cluster's agents; they have {', '.join(FAULTS)}")
        refuse_unknown(name, arguments, ARGUMENTS)
        return AgentFault(self._target, name, ttl, arguments)


def refuse_unknown(name: str, arguments: dict[str, Any], known: dict[str, set[str]]) -> None:
    """FaultError for arguments that the fault has not, said before anybody is asked to carry it out."""
    if unknown := set(arguments) - known.get(name, set()):
        raise FaultError(f"{name} has no argument {', '.join(sorted(unknown))}")


class AgentFault:
    """One fault of the agents; the three verbs of chaosblink.faults.effect.Fault."""

    def __init__(self, target: KubernetesTarget, name: str, ttl: float, arguments: dict[str, Any]) -> None:
        self._target, self._name, self._ttl, self._arguments = target, name, ttl, arguments
        self._verb = name

    def inject(self, victims: list[Victim]) -> Effect:
        """Have every agent inject at the same time; t0 is the earliest moment of the first effect."""

        def one(agent: Agent, own: list[Victim]) -> Reply:
            agent.ask("contact", {})  # opens the connection, whose handshake would else widen the bracket
            keep_contact(agent)
            return agent.ask(
                self._verb,
                self._body(own) | {"ttl": self._ttl, "selector": "", "run_addresses": own_addresses()},
                INJECTING_S,
            )

        replies = self._each_node(victims, one)
        t0 = min(reply.earliest(reply.result["t0"]) for reply in replies.values())
        proofs = [_on_our_clock(reply.result["proof"], reply) for reply in replies.values()]
        widest = max(reply.bracket_ns for reply in replies.values())
        entries = [entry for proof in proofs for entry in proof["victims"]]
        whole = {"victims": entries, "bracket": bracket(t0, t0 + widest)}
        return Effect(self._name, victims, t0, {**proofs[0], **whole, "agents": list(replies)})

    def revert(self, effect: Effect) -> None:
        """Have every agent undo it and prove it gone."""
        self._each_node(effect.victims, lambda agent, own: agent.ask("undo", self._body(own), UNDOING_S))

    def residue(self, victims: list[Victim]) -> list[str]:
        """What the agents still find of it."""
        replies = self._each_node(victims, lambda agent, own: agent.ask("residue", self._body(own)))
        return [line for reply in replies.values() for line in reply.result]

    def _body(self, victims: list[Victim]) -> dict[str, Any]:
        return {"fault": self._verb, "arguments": self._arguments, "victims": [asdict(victim) for victim in victims]}

    def _each_node(self, victims: list[Victim], ask: Callable[[Agent, list[Victim]], T]) -> dict[str, T]:
        by_node: dict[str, list[Victim]] = {}
        for victim in victims:
            by_node.setdefault(victim.place["node"], []).append(victim)
        agents = {node: self._target.agent(node) for node in by_node}
        try:
            with ThreadPoolExecutor(max_workers=len(by_node) or 1) as pool:
                answers = pool.map(lambda node: ask(agents[node], by_node[node]), by_node)
                return dict(zip(by_node, answers, strict=True))
        except PlatformError as error:
            raise FaultError(str(error)) from None


def _on_our_clock(value: Any, reply: Reply, moment: bool = False) -> Any:
    """A proof with every moment of the agent's clock replaced by the earliest reading of ours."""
    if isinstance(value, dict):
        return {
            key: _on_our_clock(inner, reply, moment or key in MOMENTS or key == "pids_gone_at")
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_on_our_clock(inner, reply, moment) for inner in value]
    return reply.earliest(value) if moment and isinstance(value, int) else value


_kept: dict[str, threading.Thread] = {}


def keep_contact(agent: Agent) -> None:
    """Say to an agent every 3 s, as long as this process lives, that its run is there.

    The process that injected is the one to say so: it dies with its run, and then the agent undoes its faults.
    """

    def say() -> None:
        while True:
            with contextlib.suppress(PlatformError):  # a restarting agent undoes all by itself
                agent.ask("contact", {})
            threading.Event().wait(CONTACT_EVERY_S)

    if agent.node not in _kept:
        _kept[agent.node] = threading.Thread(target=say, daemon=True)
        _kept[agent.node].start()
