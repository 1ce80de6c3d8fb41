"""A fault that hits no leader changes none: everybody who led goes on leading."""

from __future__ import annotations

from itertools import pairwise

from chaosblink.checkers.durability import says_it_leads
from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round
from chaosblink.history import Event

NEEDS = ("timeline.jsonl",)
TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` changes of leader after t0, in all groups of peers together (each Redis set is one)."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    groups = _groups(recorded)
    changes, gaps = [], []
    for name, roles in groups.items():
        before = [event for event in roles if event.at <= recorded.t0 and says_it_leads(event)]
        after = [event for event in roles if event.at > recorded.t0 and says_it_leads(event)]
        if not before or not after:
            gaps.append(f"no role event names a leader of {name} {'after' if before else 'before'} t0")
        changes += _changes([before[-1], *after]) if before else []
    if len(changes) > bound:
        return Finding("fail", len(changes), f"a fault on no leader changed the leader: {names(changes)}")
    if gaps or not groups:
        return unknown("; ".join(gaps) or f"the timeline has no role of {recorded.led}")
    return Finding("pass", len(changes), f"{len(groups)} leaders led before and after")


def _groups(recorded: Round) -> dict[str, list[Event]]:
    """Role events by group of peers: the component's, or a Redis set's (`redis-master-0` and `redis-replica-0`)."""
    groups: dict[str, list[Event]] = {}
    for event in recorded.events:
        if event.kind == "role" and event.data.get("component") == recorded.led:
            ordinal = str(event.data["instance"]).rpartition("-")[2]
            name = f"set {int(ordinal) + 1}" if recorded.led == "redis" else recorded.led
            groups.setdefault(name, []).append(event)
    return groups


def _changes(leading: list[Event]) -> list[str]:
    """`a to b` for each time that another instance says it leads."""
    said = [str(event.data["instance"]) for event in leading]
    return [f"{old} to {new}" for old, new in pairwise(said) if new != old]
