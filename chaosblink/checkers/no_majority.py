"""While a majority of the servers is dead nothing is acknowledged."""

from __future__ import annotations

from chaosblink.checkers.finding import Finding, milliseconds, names, unknown
from chaosblink.checkers.rounds import Round, store_of
from chaosblink.history import Event

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = False

ASKED = 10
"""Writes that must have been tried meanwhile; with fewer nothing is proven."""


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` writes were acknowledged that began after the last victim's death and ended before any answered.

    The first answer of a victim ends the time that is judged: it may vote again from then on.
    """
    lacking = recorded.lacks(*NEEDS)
    bites = recorded.faults("bitten")
    if lacking or not bites:
        return unknown(lacking or "the timeline has no `bitten` event: the fault was not seen to bite")
    gone = _gone(bites[0])
    if gone is None:
        return unknown("the fault's proof does not tell when each victim was gone")
    back = _back(recorded, gone)
    if back is None:
        return unknown("no role event shows a victim away and back again")
    writes = [op for op in recorded.operations if op.writes and store_of(op.path) == recorded.store]
    meanwhile = [op for op in writes if op.start > gone and op.end < back]
    acknowledged = [op.id for op in meanwhile if op.outcome == "ok"]
    window = milliseconds(back - gone)
    if len(acknowledged) > bound:
        why = f"acknowledged without a majority, within {window:g} ms: {names(acknowledged)}"
        return Finding("fail", len(acknowledged), why)
    tried = sum(gone < op.start < back for op in writes)
    if tried < ASKED:
        return unknown(f"only {tried} writes were tried in the {window:g} ms without a majority, {ASKED} are needed")
    return Finding("pass", len(acknowledged), f"{tried} writes tried in {window:g} ms without a majority")


def _gone(bite: Event) -> int | None:
    """When the last victim was gone (ns)."""
    times = [entry.get("gone_at") for entry in (bite.data.get("proof") or {}).get("victims", [])]
    return max(times) if times and None not in times else None


def _back(recorded: Round, gone: int) -> int | None:
    """When a victim that had given no answer was asked and gave one (ns): the earliest moment of that answer."""
    away: set[str] = set()
    for event in recorded.events:
        data = event.data
        if event.kind != "role" or data["instance"] not in recorded.settings.get("victims", []) or event.at <= gone:
            continue
        if not data["role"]:
            away.add(str(data["instance"]))
        elif data["instance"] in away:
            return int(data.get("asked", event.at))
    return None
