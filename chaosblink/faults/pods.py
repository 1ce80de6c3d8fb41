"""Pods as victims of a cluster's API: what names one life of a pod, when it was seen to end, and what is down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chaosblink.faults.effect import FaultError, Victim, bracket
from chaosblink.targets import Instance
from chaosblink.targets.kubernetes import changes
from chaosblink.waiting import until

if TYPE_CHECKING:
    from chaosblink.targets.kubernetes.target import KubernetesTarget

Workload = tuple[str, str, str]
"""Kind, namespace and name."""


def snapshot(target: KubernetesTarget, instance: Instance) -> Victim:
    """The instance's present pod as a victim; FaultError when none runs (a fault on nothing is an error)."""
    member, life = target.member(instance), target.lifetime(instance)
    if member.pod is None or life is None or "deletionTimestamp" in member.pod["metadata"]:
        raise FaultError(f"{instance.name} is already down: there is nothing to break")
    place = {
        "namespace": member.namespace,
        "name": instance.name,
        "uid": member.pod["metadata"]["uid"],
        "node": instance.node,
        "workload": [member.workload["kind"], member.namespace, member.workload["metadata"]["name"]],
    }
    return Victim(instance.name, life.pid, life.started, {}, place)


def workloads(victims: list[Victim]) -> list[Workload]:
    """Whose pods the victims are, in order of name."""
    found = {(kind, namespace, name) for kind, namespace, name in (victim.place["workload"] for victim in victims)}
    return sorted(found, key=lambda workload: workload[2])


def down(target: KubernetesTarget, victims: list[Victim]) -> list[str]:
    """What the victims' workloads lack, and victims that are still ending, one line each."""
    mine = {(namespace, name) for _, namespace, name in workloads(victims)}
    lines = []
    for instance in target.instances():
        member = target.member(instance)
        belongs = member.workload and (member.namespace, member.workload["metadata"]["name"]) in mine
        if belongs and target.lifetime(instance) is None:
            lines.append(f"{instance.name} is down")
    return lines + [f"the old pod {v.instance} is still ending" for v in victims if _state(target, v) == "ending"]


def _state(target: KubernetesTarget, victim: Victim) -> str:
    """`there`, `ending` or `gone`: what the API says of this life of the pod."""
    pod = changes.pod(target.api, victim.place["namespace"], victim.place["name"])
    if pod is None or pod["metadata"]["uid"] != victim.place["uid"]:
        return "gone"
    return "ending" if "deletionTimestamp" in pod["metadata"] else "there"


class Departures:
    """When each of some pods was seen to end and to be gone, bracketed by questions; made before anything is done."""

    def __init__(self, target: KubernetesTarget, victims: list[Victim]) -> None:
        self._target, self._victims = target, victims
        self._asked = dict.fromkeys((victim.instance for victim in victims), time.monotonic_ns())
        self._ending: dict[str, tuple[int, int]] = {}
        self._gone: dict[str, tuple[int, int]] = {}

    def look(self) -> bool:
        """Ask for every pod that is not gone yet; whether all are."""
        for victim in self._victims:
            if victim.instance not in self._gone:
                self._look_at(victim)
        return len(self._gone) == len(self._victims)

    def until_gone(self, within: float, every: float = 0.05) -> None:
        """Return when all are gone; Timeout after `within` seconds."""
        until(self.look, within, f"{', '.join(v.instance for v in self._victims)} is gone", every=every)

    def staying(self) -> list[Victim]:
        """Those that nobody has asked to end, by the last look."""
        return [victim for victim in self._victims if victim.instance not in self._ending]

    def left(self) -> list[str]:
        """Names of those that are not gone, by the last look."""
        return [victim.instance for victim in self._victims if victim.instance not in self._gone]

    @property
    def t0(self) -> int:
        """The earliest moment (`time.monotonic_ns()`) at which one of them can have begun to end."""
        return min(after for after, _ in self._ending.values())

    def proof(self) -> dict[str, Any]:
        """What shows that each is gone: its UID, and the brackets of its end; only when all are."""
        latest = next(before for after, before in self._ending.values() if after == self.t0)
        return {"victims": [self._entry(victim) for victim in self._victims], "bracket": bracket(self.t0, latest)}

    def _entry(self, victim: Victim) -> dict[str, Any]:
        ending, gone = self._ending[victim.instance], self._gone[victim.instance]
        return {
            "instance": victim.instance,
            "uid": victim.place["uid"],
            "node": victim.place["node"],
            "ending_after": ending[0],
            "ending_before": ending[1],
            "gone_after": gone[0],
            "gone_before": gone[1],
        }

    def _look_at(self, victim: Victim) -> None:
        asking = time.monotonic_ns()
        state = _state(self._target, victim)
        seen = (self._asked[victim.instance], time.monotonic_ns())
        self._asked[victim.instance] = asking
        if state != "there":
            self._ending.setdefault(victim.instance, seen)
        if state == "gone":
            self._gone[victim.instance] = seen
