"""How late an event arrives at its consumer, from the request that causes it, whatever dies meanwhile."""

from __future__ import annotations

from chaosblink.checkers.configured import configured_ms
from chaosblink.checkers.coverage import too_thin
from chaosblink.checkers.finding import Finding, milliseconds, names, unknown
from chaosblink.checkers.rounds import Round
from chaosblink.history import Operation

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = True
PATH = "eventrelay/persistent"
LATE = "delivery:"
"""Reasons of operations whose event was written and not seen delivered within the deadline."""


def check(recorded: Round, bound: float | None) -> Finding:
    """Every event of the round arrived within `bound` ms; without a bound, within what the live settings allow.

    For an event that was on its way when the fault bit, the time counts from the fault on: the formula is about what
    a fault costs, and an experiment may have held the event back before it.
    """
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    allowed = configured_ms(recorded) if bound is None else bound
    if allowed is None:
        return unknown(f"round.json holds no configured bound of {recorded.component}")
    operations = recorded.on(PATH)
    late = [op for op in operations if op.outcome != "ok" and op.reason.startswith(LATE)]
    if late:
        longest = max(_took(op, recorded.t0) for op in late)
        told = f"{len(late)} events had not arrived when watched that long: {_named(late)}"
        return Finding("fail" if longest > allowed else "unknown", longest, told)
    arrived = [op for op in operations if op.outcome == "ok"]
    longest = max((_took(op, recorded.t0) for op in arrived), default=0.0)
    if longest > allowed:
        slow = [op for op in arrived if _took(op, recorded.t0) > allowed]
        return Finding("fail", longest, f"{len(slow)} events took more than {allowed:g} ms: {_named(slow)}")
    missing = [op for op in operations if op.outcome != "ok"]
    if missing:
        return unknown(f"{len(missing)} events may not have been caused: {names([op.reason for op in missing])}")
    if thin := too_thin(recorded, PATH, _recovered(arrived, recorded.t0)):
        return unknown(thin)
    usual = sorted(_took(op, recorded.t0) for op in arrived)[len(arrived) // 2]
    return Finding(
        "pass", longest, f"{len(arrived)} events arrived, the slowest after {longest:g} ms, median {usual:g} ms"
    )


def _recovered(arrived: list[Operation], t0: int) -> int | None:
    """From when on (ns) events arrive again: the first arrival of one that was caused after the fault."""
    return min((op.end for op in arrived if op.start > t0), default=None)


def _took(op: Operation, t0: int) -> float:
    return milliseconds(op.end - (max(op.start, t0) if op.end > t0 else op.start))


def _named(operations: list[Operation]) -> str:
    return names([op.id for op in operations])
