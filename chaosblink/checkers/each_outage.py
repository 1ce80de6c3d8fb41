"""No time that a path is away is longer than its bound, however many there are: for faults that hit in turn."""

from __future__ import annotations

from collections.abc import Sequence

from chaosblink.checkers import outage
from chaosblink.checkers.coverage import too_thin
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.rounds import Round

NEEDS = outage.NEEDS
TIMING = True


def check(recorded: Round, bound: float, paths: Sequence[str]) -> Finding:
    """After t0 none of `paths` is away longer than `bound` ms at a time, and each is back in the end."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    return outage.worst([_judge(recorded, recorded.named(path), recorded.t0, bound) for path in paths])


def _judge(recorded: Round, path: str, t0: int, bound: float) -> Finding:
    operations = recorded.on(path)
    found = outage.outage(operations, t0, path)
    longest = found.longest_downtime_ms
    if longest > bound:
        return Finding("fail", longest, f"{found.path} was away {longest:g} ms at a time, above {bound:g} ms")
    if found.ms is None:
        return unknown(found.why)
    if operations[-1].outcome != "ok":
        return unknown(f"the history of {path} ends while it is away")
    if thin := too_thin(recorded, found.path, found.recovered_at):
        return unknown(thin)
    times = f"{found.interruptions} times, {longest:g} ms the longest" if found.interruptions else "never"
    return Finding("pass", longest, f"{found.path} was away {times}")
