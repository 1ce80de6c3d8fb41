"""The recording counts (rule 10) on every path in focus; otherwise the round proves nothing."""

from __future__ import annotations

from chaosblink.checkers.coverage import coverage, too_thin
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.outage import outage
from chaosblink.checkers.rounds import Round

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` % of the due operations of a path in focus were not issued; too few successes are unknown too."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    paths = recorded.paths(focus=True)
    if not paths:
        return unknown("round.json names no path in focus")
    recovered = {path: outage(recorded.on(path), recorded.t0, path).recovered_at for path in paths}
    thin = [reason for path in paths if (reason := too_thin(recorded, path, recovered[path]))]
    shares = [coverage(recorded, path, recovered[path]).issued_share for path in paths]
    missing = round(100 * (1 - min(shares)), 1)
    if thin or missing > bound:
        return Finding("unknown", missing, "; ".join(thin) or f"{missing:g} % of due operations were not issued")
    return Finding("pass", missing, f"{len(paths)} paths in focus, at most {missing:g} % of due operations not issued")
