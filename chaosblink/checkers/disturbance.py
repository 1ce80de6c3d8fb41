"""Was the machine itself the fault (rule 11)? Then a round's timing says nothing about the platform."""

from __future__ import annotations

from chaosblink.checkers.finding import milliseconds
from chaosblink.checkers.rounds import Round

LATE_TICK_MS = 250.0
LATE_START_MS = 50.0
LATE_STARTS_SHARE = 0.05
"""A watchdog tick over 250 ms late, or over 5 % of probes started over 50 ms late: measuring rule 11."""


def disturbance(recorded: Round) -> str:
    """Why the round is disturbed, `` when it is not; `disturbed_threshold` (ms) of round.json overrides 250 ms."""
    threshold = float(recorded.settings.get("disturbed_threshold") or LATE_TICK_MS)
    latest = max((event.data.get("late", 0) for event in recorded.events if event.kind == "tick"), default=0)
    if milliseconds(latest) > threshold:
        return f"disturbed: a watchdog tick came {milliseconds(latest):g} ms late, above {threshold:g} ms"
    share = late_starts(recorded)
    if share > LATE_STARTS_SHARE:
        return f"disturbed: {share:.1%} of the probes started over {LATE_START_MS:g} ms late"
    return ""


def late_starts(recorded: Round) -> float:
    """Share of operations that were started more than 50 ms after they were due."""
    if not recorded.operations:
        return 0.0
    late = sum(1 for op in recorded.operations if op.start - op.due > LATE_START_MS * 1e6)
    return late / len(recorded.operations)
