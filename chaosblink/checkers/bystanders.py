"""Writers on stores that are not under fault notice nothing."""

from __future__ import annotations

from chaosblink.checkers.coverage import too_thin
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.outage import outage
from chaosblink.checkers.rounds import Round, store_of

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = True


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` operations invoked after t0 on the other stores did not succeed."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    others = recorded.stores("bystanders")
    paths = [path for path in recorded.paths() if store_of(path) in others]
    if not paths:
        return unknown("round.json names no path on another store")
    found = [outage(recorded.on(path), recorded.t0, path) for path in paths]
    failed = sum(each.failed for each in found)
    if failed > bound:
        told = ", ".join(f"{each.failed} of {each.operations} on {each.path}" for each in found if each.failed)
        return Finding("fail", failed, f"operations failed on stores not under fault: {told}")
    thin = [reason for path in paths if (reason := too_thin(recorded, path, recorded.t0))]
    if thin:
        return unknown("; ".join(thin))
    gap = max(each.longest_gap_ms for each in found)
    return Finding("pass", failed, f"{len(paths)} paths on other stores, longest time without a success {gap:g} ms")
