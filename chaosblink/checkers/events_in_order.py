"""Events are delivered in the order in which ZITADEL wrote them, list by list."""

from __future__ import annotations

from chaosblink.checkers.event_reads import NEEDS, both_sides
from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round

__all__ = ["NEEDS", "TIMING", "check", "out_of_order"]

TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` events were delivered after one that was written later in the same list.

    Only the first delivery of an event counts: another checker counts the others.
    """
    sides, why = both_sides(recorded)
    if why:
        return unknown(why)
    if not any(side.delivered for side in sides):
        return unknown("nothing was delivered: nothing is proven")
    late = {side.queue: out_of_order(side.written, side.delivered) for side in sides}
    count = sum(map(len, late.values()))
    if count > bound:
        told = [f"{queue}: {len(ids)} after a later one ({names(ids)})" for queue, ids in late.items() if ids]
        return Finding("fail", count, "; ".join(told))
    return Finding("pass", count, f"{sum(len(side.delivered) for side in sides)} events in order")


def out_of_order(written: list[str], delivered: list[str]) -> list[str]:
    """Events that were delivered behind one which the store holds after them; unknown ids are left to others."""
    place = {identity: number for number, identity in enumerate(written)}
    known = [identity for identity in dict.fromkeys(delivered) if identity in place]
    highest, late = -1, []
    for identity in known:
        if place[identity] < highest:
            late.append(identity)
        highest = max(highest, place[identity])
    return late
