"""How long a path was away after the fault (rule 5), and whether it came back within the promise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from chaosblink.checkers.coverage import too_thin
from chaosblink.checkers.finding import Finding, Judgement, milliseconds, unknown
from chaosblink.checkers.rounds import Round
from chaosblink.history import Operation

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = True

STAYS_UP_NS = 3_000_000_000
STAYS_UP_SUCCESSES = 50
STAYS_UP_SLOW_NS = 10_000_000_000
"""A path is back when it then stays up for 3 s and 50 successes, or for 10 s: measuring rule 5."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One path after t0; times in ms, `recovered_at` in ns of the run's clock.

    `ms` is None when the path never came back or the history ends too early; then `at_least_ms` is what is certain
    and `why` says which of the two it was. `failed` counts every operation that is not `ok`.
    """

    path: str
    ms: float | None
    at_least_ms: float
    downtime_ms: float = 0.0
    longest_downtime_ms: float = 0.0
    longest_gap_ms: float = 0.0
    failed: int = 0
    operations: int = 0
    interruptions: int = 0
    availability: float | None = None
    recovered_at: int | None = None
    why: str = ""


def check(recorded: Round, bound: float, paths: Sequence[str]) -> Finding:
    """Every one of `paths` is back within `bound` ms and is not away longer than that in total."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    outages = [outage(recorded.on(recorded.named(path)), recorded.t0, recorded.named(path)) for path in paths]
    return worst([_judge(recorded, found, bound) for found in outages])


def worst(findings: Sequence[Finding]) -> Finding:
    """One finding for several paths: the worst verdict, the largest value, every reason."""
    order: tuple[Judgement, ...] = ("fail", "unknown", "pass")
    verdict: Judgement = min((finding.verdict for finding in findings), key=order.index, default="unknown")
    measured = [finding.measured for finding in findings]
    known = [value for value in measured if value is not None]
    why = "; ".join(finding.why for finding in findings if finding.verdict == verdict and finding.why)
    return Finding(verdict, max(known) if known and len(known) == len(measured) else None, why)


def outage(operations: Iterable[Operation], t0: int, path: str = "") -> Outage:
    """Measure one path's outage from the operations invoked after `t0` (ns)."""
    after = sorted((op for op in operations if op.start > t0), key=lambda op: op.start)
    path = path or (after[0].path if after else "")
    if not after:
        return Outage(path, None, 0.0, why=f"no operation on {path} after t0")
    recovered_at, why = _recovery(after, path)
    downtimes = _downtimes(after)
    failures = [op for op in after if op.outcome != "ok"]
    ms: float | None = None
    if recovered_at is not None:
        ms = milliseconds(recovered_at - t0) if failures and failures[0].start < recovered_at else 0.0
    return Outage(
        path=path,
        ms=ms,
        at_least_ms=ms if ms is not None else milliseconds(failures[-1].start - t0 if failures else 0),
        downtime_ms=milliseconds(sum(downtimes)),
        longest_downtime_ms=milliseconds(max(downtimes, default=0)),
        longest_gap_ms=milliseconds(_longest_gap(after, t0)),
        failed=len(failures),
        operations=len(after),
        interruptions=len(downtimes),
        availability=1 - len(failures) / len(after),
        recovered_at=recovered_at,
        why=why,
    )


def _judge(recorded: Round, found: Outage, bound: float) -> Finding:
    if found.ms is None:
        certain = found.at_least_ms > bound
        return Finding("fail" if certain else "unknown", None, f"{found.why} (at least {found.at_least_ms:g} ms away)")
    thin = too_thin(recorded, found.path, found.recovered_at)
    if thin:
        return unknown(thin)
    if found.ms > bound:
        return Finding("fail", found.ms, f"{found.path} was away {found.ms:g} ms, above {bound:g} ms")
    if found.downtime_ms > bound:
        text = (
            f"{found.path} came back after {found.ms:g} ms but failed again: {found.downtime_ms:g} ms away in total, "
        )
        return Finding("fail", found.ms, f"{text}above {bound:g} ms")
    return Finding("pass", found.ms, f"{found.path} was back after {found.ms:g} ms")


def _recovery(after: list[Operation], path: str) -> tuple[int | None, str]:
    """First success (ns) of the first unbroken series that is long enough (rule 5), or why there is none."""
    up_ns, successes = 0, 0
    for first, last in _series(after):
        successes, ends_at = last - first, after[last].start if last < len(after) else after[-1].start
        up_ns = ends_at - after[first].start if successes else 0
        often = up_ns >= STAYS_UP_NS and successes >= STAYS_UP_SUCCESSES
        if often or up_ns >= STAYS_UP_SLOW_NS:
            return min(op.end for op in after[first:last]), ""
    if after[-1].outcome != "ok":
        return None, f"{path} never came back"
    seconds = up_ns / 1e9
    return None, f"the history of {path} ends {seconds:.1f} s and {successes} successes after it came up"


def _series(after: list[Operation]) -> list[tuple[int, int]]:
    """Unbroken series of successes in order of start, as half-open ranges of positions."""
    ranges, position = [], 0
    for up, group in groupby(after, key=lambda op: op.outcome == "ok"):
        length = sum(1 for _ in group)
        if up:
            ranges.append((position, position + length))
        position += length
    return ranges


def _downtimes(after: list[Operation]) -> list[int]:
    """Length (ns) of every time the path was away: from the first failure's start to the first success behind it.

    Operations that waited in line end late, so that times can overlap; what overlaps is one time and counts once.
    """
    series = [list(group) for _, group in groupby(after, key=lambda op: op.outcome == "ok")]
    away: list[tuple[int, int]] = []
    for position, group in enumerate(series):
        if group[0].outcome == "ok":
            continue
        behind = series[position + 1] if position + 1 < len(series) else None
        back = min(op.end for op in behind) if behind else max(op.end for op in group)
        if away and group[0].start <= away[-1][1]:
            away[-1] = (away[-1][0], max(away[-1][1], back))
        else:
            away.append((group[0].start, max(back, group[0].start)))
    return [end - start for start, end in away]


def _longest_gap(after: list[Operation], t0: int) -> int:
    """Longest time (ns) without a success between t0 and the last operation: it also shows a stall without failures."""
    moments = [t0, *sorted(op.end for op in after if op.outcome == "ok"), max(op.start for op in after)]
    return max(later - earlier for earlier, later in pairwise(sorted(moments)))
