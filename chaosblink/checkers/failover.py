"""Exactly one leader change for one fault: failed over, or restarted in place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from chaosblink.checkers.durability import LEADERS, says_it_leads
from chaosblink.checkers.finding import Finding, milliseconds, unknown
from chaosblink.checkers.rounds import Round
from chaosblink.history import Event

NEEDS = ("timeline.jsonl",)
TIMING = False


@dataclass(frozen=True, slots=True)
class Failover:
    """What became of the leadership after t0; `new_leader_ms` from t0 to the first answer that names one.

    `promotions` are the instances that began to call themselves leader, in order; when the leader restarted in place
    that is the old one.
    """

    kind: Literal["failed over", "restarted in place", "several failovers", "unknown"]
    promotions: list[str]
    new_leader: str = ""
    new_leader_ms: float | None = None
    why: str = ""


def check(recorded: Round, bound: float, returns: bool = False) -> Finding:
    """At most `bound` leader changes, and a leader at the end.

    With `returns` (the fault was held) an old leader that wakes and still says that it leads is no leader change, as
    long as its successor leads on: how soon it steps down is judged by `steps_down`.
    """
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    roles = roles_under_fault(recorded)
    if returns:
        roles = without_returns(roles, recorded.t0)
    found = failover(roles, recorded.t0)
    if found.kind == "unknown":
        return unknown(found.why)
    changes = len(found.promotions)
    if changes > bound:
        return Finding("fail", changes, f"{changes} leader changes for one fault: {' then '.join(found.promotions)}")
    return Finding("pass", changes, f"{found.kind}: {found.new_leader} led after {found.new_leader_ms:g} ms")


def failover(roles: list[Event], t0: int) -> Failover:
    """Follow the `role` events (in order of time) of one group of peers across the fault at `t0` (ns)."""
    before = [event for event in roles if event.at <= t0]
    leader = next((event.data["instance"] for event in reversed(before) if says_it_leads(event)), "")
    if not leader:
        return Failover("unknown", [], why="no role event names a leader before t0")
    said = {event.data["instance"]: event.data["role"] for event in before}
    promotions, first = _promotions([event for event in roles if _asked(event) > t0], leader, said)
    if first is None:
        return Failover("unknown", [], why="no role event names a leader after t0")
    promotions = promotions or [leader]
    kind: Literal["failed over", "restarted in place", "several failovers"] = "failed over"
    if len(promotions) > 1:
        kind = "several failovers"
    elif promotions == [leader]:
        kind = "restarted in place"
    return Failover(kind, promotions, str(first.data["instance"]), milliseconds(_asked(first) - t0))


def without_returns(roles: list[Event], t0: int) -> list[Event]:
    """Role events in which the leader before `t0` says nothing where it says that it leads although its successor does.

    Once the successor says anything else (or nothing), what the old leader says counts again.
    """
    old = next((event.data["instance"] for event in reversed(roles) if event.at <= t0 and says_it_leads(event)), "")
    kept, successor, leads = [], "", False
    for event in roles:
        instance = event.data["instance"]
        if event.at > t0 and instance != old and says_it_leads(event):
            successor = instance
        if instance == successor:
            leads = says_it_leads(event)
        claims = event.at > t0 and instance == old and says_it_leads(event) and leads
        kept.append(replace(event, data=event.data | {"role": ""}) if claims else event)
    return kept


def roles_under_fault(recorded: Round) -> list[Event]:
    """Role events of the peers of the victim: of the component it leads or serves, and for Redis of one set only."""
    events = [event for event in recorded.events if event.kind == "role"]
    mine = [event for event in events if event.data.get("component") == recorded.led]
    if recorded.led != "redis":
        return mine
    # Set i is redis-master-(i-1) and redis-replica-(i-1): docs/architecture.md, "The platform, as instances".
    ordinal = f"-{int(recorded.redis_set) - 1}"
    return [event for event in mine if str(event.data.get("instance", "")).endswith(ordinal)]


def _promotions(after: list[Event], leader: str, said: dict[str, str]) -> tuple[list[str], Event | None]:
    """Instances that began to lead, and the first event of a leader.

    The old leader that answers again as leader after a silence resumed, which counts; so does one that comes back as
    leader beside the new one. A new leader that misses one answer and leads on was not promoted again.
    """
    promotions: list[str] = []
    first = None
    for event in after:
        instance = str(event.data["instance"])
        if says_it_leads(event):
            first = first or event
            resumed = instance == leader and not promotions and said.get(instance) == ""
            if resumed or (instance != leader and said.get(instance) not in LEADERS):
                promotions.append(instance)
                leader = instance
        said[instance] = event.data["role"]
    return promotions, first


def _asked(event: Event) -> int:
    """When the question was sent (ns): the earlier end of the bracket in which the answer was true (rule 1)."""
    return int(event.data.get("asked", event.at))
