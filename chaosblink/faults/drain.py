"""Drain: a node takes no new pods and its pods are evicted as far as disruption budgets allow, until it is reverted."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from chaosblink.faults.effect import Effect, FaultError, Victim
from chaosblink.faults.pods import Departures, down
from chaosblink.targets.kubernetes import changes, names
from chaosblink.targets.kubernetes.api import Json, Missing
from chaosblink.targets.kubernetes.suite_node import set_aside
from chaosblink.waiting import until

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

DRAINED_S = 120.0
"""A pod ends within its grace period; one that a budget holds back waits until another is ready elsewhere."""
MOVING = ("ReplicaSet", "StatefulSet")
"""Owners that put another pod in an evicted one's place; a Job's pod or a DaemonSet's is left alone."""


class Drain:
    """One node, cordoned and emptied of the platform. t0 is when the first of its pods began to end.

    Pods of other namespaces stay: a run has no right to evict them. A pod whose volume lies on the node cannot start
    anywhere else and comes back when the drain is reverted.
    """

    def __init__(self, target: KubernetesTarget) -> None:
        self._target, self._refusals = target, 0

    def inject(self, victims: list[Victim]) -> Effect:
        """Cordon the victims' node, evict everything of the platform there, and return once it is empty."""
        node = _node(victims)
        leaving = victims + self._beside(node, victims)
        seen = Departures(self._target, leaving)
        changes.cordon(self._target.api, node, True)
        if not changes.cordoned(changes.node(self._target.api, node)):
            raise FaultError(f"drain: {node} still takes pods")
        self._evict(leaving)  # once where an error is raised; what is refused now is asked for again below
        until(lambda: self._emptied(seen), DRAINED_S, f"{node} is drained", every=0.2)
        proof = {**seen.proof(), "node": node, "cordoned": True, "refused_by_budgets": self._refusals}
        return Effect("drain", victims, seen.t0, proof)

    def revert(self, effect: Effect) -> None:
        """Let the node take pods again."""
        changes.cordon(self._target.api, _node(effect.victims), False)

    def residue(self, victims: list[Victim]) -> list[str]:
        """A node that is still cordoned, and what the victims' workloads lack."""
        node = _node(victims)
        still = changes.cordoned(changes.node(self._target.api, node))
        return ([f"{node} is still cordoned"] if still else []) + down(self._target, victims)

    def _beside(self, node: str, victims: list[Victim]) -> list[Victim]:
        """Pods of the platform there that are no instances, the injector's say: they go as well."""
        known = {victim.place["uid"] for victim in victims}
        pods = [(space, pod) for space in names.PLATFORM_NAMESPACES for pod in self._target.api.pods(space)]
        there = [(space, pod) for space, pod in pods if pod["spec"].get("nodeName") == node]
        return [_moving(space, pod) for space, pod in there if pod["metadata"]["uid"] not in known and _moves(pod)]

    def _emptied(self, seen: Departures) -> bool:
        if seen.look():
            return True
        self._evict(seen.staying())
        return False

    def _evict(self, victims: list[Victim]) -> None:
        for victim in victims:
            place = victim.place
            with contextlib.suppress(Missing):  # it has gone by itself meanwhile
                asked = changes.evict(self._target.api, place["namespace"], place["name"], place["uid"])
                self._refusals += not asked


def permit(target: KubernetesTarget, node: str) -> None:
    """FaultError for the suite's node and one that is cordoned already.

    To be asked before the fault is written down: undoing it would take back what somebody else has cordoned.
    """
    found = changes.node(target.api, node)
    if set_aside(found):
        raise FaultError(f"{node} carries the suite itself and is never a victim")
    if changes.cordoned(found):
        raise FaultError(f"{node} is cordoned already, by somebody else")


def _node(victims: list[Victim]) -> str:
    nodes = {victim.place["node"] for victim in victims}
    if len(nodes) != 1:
        raise FaultError(f"drain: one node at a time, not {', '.join(sorted(nodes))}")
    return str(nodes.pop())


def _moves(pod: Json) -> bool:
    owners = pod["metadata"].get("ownerReferences", [])
    return any(owner["kind"] in MOVING for owner in owners) and pod["status"].get("phase") != "Succeeded"


def _moving(namespace: str, pod: Json) -> Victim:
    metadata = pod["metadata"]
    place = {"namespace": namespace, "name": metadata["name"], "uid": metadata["uid"], "node": pod["spec"]["nodeName"]}
    return Victim(metadata["name"], 0, 0.0, {}, place)
