"""What checkers of events share: both sides of each list, or why they cannot be compared."""

from __future__ import annotations

from typing import NamedTuple

from chaosblink.checkers.rounds import Round
from chaosblink.history import EventRead

NEEDS = ("event_reads.jsonl",)
QUEUES = ("high", "normal", "low")


class BothSides(NamedTuple):
    """One list: ids as the store holds them in its order, ids as they were delivered, and duplicates removed there."""

    queue: str
    written: list[str]
    delivered: list[str]
    removed: int


def both_sides(recorded: Round) -> tuple[list[BothSides], str]:
    """Every list's two sides, and why nothing can be said (empty when something can)."""
    lacking = recorded.lacks(*NEEDS)
    if lacking:
        return [], lacking
    reads = {(read.source, read.queue): read for read in recorded.event_reads}
    gaps = [
        f"{source} {queue}: {reads[source, queue].why or 'incomplete' if (source, queue) in reads else 'not read'}"
        for source in ("store", "consumer")
        for queue in QUEUES
        if not _whole(reads.get((source, queue)))
    ]
    if gaps:
        return [], "; ".join(gaps)
    sides = [
        BothSides(q, reads["store", q].ids, reads["consumer", q].ids, reads["consumer", q].removed) for q in QUEUES
    ]
    if not any(side.written for side in sides):
        return [], "no event was written in this round: nothing is proven"
    return sides, ""


def _whole(read: EventRead | None) -> bool:
    return read is not None and read.complete
