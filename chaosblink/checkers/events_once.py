"""No event had its effect twice: what arrived again was recognised and removed."""

from __future__ import annotations

from collections import Counter

from chaosblink.checkers.event_reads import NEEDS, both_sides
from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round

__all__ = ["NEEDS", "TIMING", "check"]

TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` events were delivered more than once, over all lists."""
    sides, why = both_sides(recorded)
    if why:
        return unknown(why)
    counts = Counter(identity for side in sides for identity in side.delivered)
    if not counts:
        return unknown("nothing was delivered: nothing is proven")
    twice = [identity for identity, count in counts.items() if count > 1]
    if len(twice) > bound:
        return Finding("fail", len(twice), f"{len(twice)} events had their effect more than once ({names(twice)})")
    removed = sum(side.removed for side in sides)
    return Finding("pass", len(twice), f"{len(counts)} events once each; {removed} duplicates arrived and were removed")
