"""Paths that must notice nothing of the fault: no operation begun after t0 does not succeed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chaosblink.checkers.coverage import too_thin
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.outage import outage
from chaosblink.checkers.rounds import Round

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = True


def check(recorded: Round, bound: float, paths: Sequence[str]) -> Finding:
    """At most `bound` operations on all of `paths` together, begun after t0, did not succeed; those open then may."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    named = [recorded.named(path) for path in paths]
    return steady(recorded, named, bound, recorded.t0)


def steady(recorded: Round, paths: Sequence[str], bound: float, t0: int) -> Finding:
    """The same for paths by name and any moment (ns) from which they must be steady."""
    found = [outage(recorded.on(path), t0, path) for path in paths]
    failed = sum(each.failed for each in found)
    if failed > bound:
        told = ", ".join(f"{each.failed} of {each.operations} on {each.path}" for each in found if each.failed)
        return Finding("fail", failed, f"operations failed: {told}: {_reasons(recorded, paths, t0)}")
    thin = [reason for path in paths if (reason := too_thin(recorded, path, t0))]
    if thin:
        return unknown("; ".join(thin))
    gap = max(each.longest_gap_ms for each in found)
    return Finding("pass", failed, f"{len(paths)} paths, longest time without a success {gap:g} ms")


def _reasons(recorded: Round, paths: Sequence[str], t0: int) -> str:
    failures = [op for path in paths for op in recorded.on(path) if op.start > t0 and op.outcome != "ok"]
    return ", ".join(f"{count} x {why}" for why, count in Counter(op.reason for op in failures).most_common(5))
