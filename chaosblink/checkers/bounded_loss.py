"""What is lost was acknowledged within a short time of the fault, and is counted: where loss is the stated price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from chaosblink.checkers.durability import Copy, durability, unread
from chaosblink.checkers.finding import Finding, milliseconds, unknown
from chaosblink.checkers.rounds import Round

NEEDS = ("history.jsonl", "timeline.jsonl", "final_reads.jsonl")
TIMING = False

IN_FLIGHT_MS = 100.0
"""A write acknowledged this shortly before a partition may not have reached the replica yet: its packets are cut."""


def check(
    recorded: Round, bound: float, stores: str, copies: Mapping[str, int], side: Literal["before", "after"]
) -> Finding:
    """No acknowledged write is lost but those acknowledged within `bound` ms `before` or `after` t0.

    Measured is how far from t0 the farthest lost acknowledgement lies (0: nothing lost); `why` tells how many there
    are. `stores` and `copies` as in `durability`. A refused write that appears, or one that appears twice, is never
    allowed.
    """
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    judged = recorded.stores(stores)
    if not judged:
        return unknown(f"round.json names no path on a store {stores.replace('-', ' ')}")
    found = [copy for store in judged for copy in durability(recorded.operations, recorded.final_reads, store)]
    strange = [copy for copy in found if copy.phantoms or copy.duplicates]
    lost = {operation for copy in found for operation in copy.lost}
    far, wrong_side = _distances(recorded, lost, recorded.t0, side)
    told = _told(recorded, found, lost)
    if strange or far > bound or wrong_side:
        kind = f"; {wrong_side} of them on the wrong side of the fault" if wrong_side else ""
        return Finding("fail", far, f"{told}, up to {far:g} ms {side} the fault, allowed {bound:g} ms{kind}")
    if gaps := [gap for store in judged for gap in unread(recorded, store, copies)]:
        return unknown("; ".join(gaps))
    return Finding("pass", far, f"{told}, up to {far:g} ms {side} the fault")


def _distances(recorded: Round, lost: set[str], t0: int, side: str) -> tuple[float, int]:
    """Farthest lost acknowledgement from t0 on the allowed side (ms), and how many lie on the other side.

    An acknowledgement lies between start and end of its operation; the end is when a client could rely on it.
    """
    after = [milliseconds(op.end - t0) for op in recorded.operations if op.id in lost]
    if side == "before":
        return max((-ms for ms in after if ms <= 0), default=0.0), sum(ms > 0 for ms in after)
    return max((ms for ms in after if ms > 0), default=0.0), sum(ms < -IN_FLIGHT_MS for ms in after)


def _told(recorded: Round, found: list[Copy], lost: set[str]) -> str:
    acknowledged = sum(op.outcome == "ok" and op.writes for op in recorded.operations)
    strange = [f"{len(c.phantoms)} phantom and {len(c.duplicates)} duplicate on {c.instance}" for c in found]
    wrong = [text for copy, text in zip(found, strange, strict=True) if copy.phantoms or copy.duplicates]
    return "; ".join([f"{len(lost)} of {acknowledged} acknowledged writes lost", *wrong])
