"""No operation is acknowledged by an old leader after the new leader's first acknowledgement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaosblink.checkers.finding import Finding, milliseconds, names, unknown
from chaosblink.checkers.rounds import Round, store_of
from chaosblink.history import Operation

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = False


@dataclass(frozen=True, slots=True)
class Overlap:
    """Acknowledgements by `old` that certainly took effect after `new` had acknowledged `first`."""

    old: str
    new: str
    first: Operation
    late: list[Operation]
    interleaved: bool
    """True when `new` acknowledged again afterwards: two leaders at once, not a leadership that went back."""

    def __str__(self) -> str:
        after = milliseconds(self.late[-1].start - self.first.end)
        kind = "while both acknowledged" if self.interleaved else "after which only it acknowledged"
        told = (
            f"{self.old} acknowledged {len(self.late)} operations up to {after:g} ms after {self.new}'s first, {kind}"
        )
        return f"{told}: {names([op.id for op in self.late])} (first of {self.new}: {self.first.id})"


def check(recorded: Round, bound: float, may_return: bool = False) -> Finding:
    """At most `bound` operations on the store under fault were acknowledged by a leader already succeeded.

    With `may_return` (a round with two faults) leadership may go back to an earlier leader: then only what was
    acknowledged by two servers in turn counts.
    """
    lacking = recorded.lacks(*NEEDS)
    if lacking:
        return unknown(lacking)
    writes = [op for op in recorded.operations if op.writes and store_of(op.path) == recorded.store]
    acknowledged = [op for op in writes if op.outcome == "ok"]
    found = [overlap for overlap in overlaps(acknowledged) if overlap.interleaved or not may_return]
    late = sum(len(overlap.late) for overlap in found)
    if late > bound:
        return Finding("fail", late, "; ".join(map(str, found)))
    if not acknowledged:
        return unknown(f"nothing on {recorded.store} was acknowledged")
    nameless = sum(1 for op in acknowledged if not op.server)
    if nameless:
        return unknown(f"{nameless} of {len(acknowledged)} acknowledgements do not say which server gave them")
    servers = names(list(_first_acknowledgements(acknowledged)))
    return Finding("pass", late, f"{len(acknowledged)} acknowledgements, in turn by {servers}")


def overlaps(acknowledged: Iterable[Operation]) -> list[Overlap]:
    """Every pair of successive leaders of which the older acknowledged after the newer.

    An effect lies somewhere between start and end, so only `start of the old one's > end of the new one's first` is
    certain; anything closer is not reported.
    """
    named = sorted((op for op in acknowledged if op.server), key=lambda op: op.start)
    firsts = _first_acknowledgements(named)
    found = []
    for (old, _), (new, first) in zip(firsts.items(), list(firsts.items())[1:], strict=False):
        late = [op for op in named if op.server == old and op.start > first.end]
        if late:
            interleaved = any(op.server == new and op.start > late[0].end for op in named)
            found.append(Overlap(old, new, first, late, interleaved))
    return found


def _first_acknowledgements(named: Iterable[Operation]) -> dict[str, Operation]:
    """Each server's first acknowledgement, in the order in which they came."""
    firsts: dict[str, Operation] = {}
    for op in sorted(named, key=lambda op: op.end):
        firsts.setdefault(op.server, op)
    return firsts
