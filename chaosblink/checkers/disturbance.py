"""Was the machine itself the fault (rule 11)? Then a round's timing says nothing about the platform."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from chaosblink.checkers.finding import milliseconds
from chaosblink.checkers.rounds import Round
from chaosblink.history import OTHERS

LATE_TICK_MS = 250.0
LATE_START_MS = 50.0
LATE_STARTS_SHARE = 0.05
"""A watchdog tick over 250 ms late, or over 5 % of probes started over 50 ms late: measuring rule 11."""
OTHERS_SHARE = 0.25
OTHERS_NS = 5_000_000_000
"""Others use over a quarter of the machine's CPU for 5 s after the fault: measuring rule 11 says why so much."""


def disturbance(recorded: Round) -> str:
    """Why the round is disturbed, `` when it is not; `disturbed_threshold` (ms) of round.json overrides 250 ms."""
    threshold = float(recorded.settings.get("disturbed_threshold") or LATE_TICK_MS)
    latest = max((event.data.get("late", 0) for event in recorded.events if event.kind == "tick"), default=0)
    if milliseconds(latest) > threshold:
        return f"disturbed: a watchdog tick came {milliseconds(latest):g} ms late, above {threshold:g} ms"
    share = late_starts(recorded)
    if share > LATE_STARTS_SHARE:
        return f"disturbed: {share:.1%} of the probes started over {LATE_START_MS:g} ms late"
    taken = others_share(recorded)
    if taken > OTHERS_SHARE:
        return (
            f"disturbed: programs that are neither the platform's nor the run's used {taken:.0%} of the machine's CPU "
            f"for {OTHERS_NS / 1e9:g} s after the fault, above {OTHERS_SHARE:.0%}"
        )
    return ""


def late_starts(recorded: Round) -> float:
    """Share of operations that were started more than 50 ms after they were due."""
    if not recorded.operations:
        return 0.0
    late = sum(1 for op in recorded.operations if op.start - op.due > LATE_START_MS * 1e6)
    return late / len(recorded.operations)


def others_share(recorded: Round) -> float:
    """Share of the machine's CPU that others used in the worst 5 s after t0, 0 to 1.

    0 where nobody looked: on a cluster, and in recordings from before this was sampled.
    """
    samples = [event for event in recorded.events if event.kind == "cpu" and event.data.get("instance") == OTHERS]
    window: deque[tuple[int, float]] = deque()
    length, used, worst = 0, 0.0, 0.0
    for before, event in pairwise(event for event in samples if event.at >= (recorded.t0 or 0)):
        took = event.at - before.at
        window.append((took, took * event.data["percent"] / 100 / event.data["cores"]))
        length, used = length + took, used + window[-1][1]
        while length - window[0][0] >= OTHERS_NS:
            gone, its = window.popleft()
            length, used = length - gone, used - its
        if length >= OTHERS_NS:
            worst = max(worst, used / length)
    return worst
