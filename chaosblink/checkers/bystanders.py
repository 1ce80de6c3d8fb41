"""Writers on stores that are not under fault notice nothing."""

from __future__ import annotations

from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.rounds import Round, store_of
from chaosblink.checkers.steady import steady

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
    return steady(recorded, paths, bound, recorded.t0)
