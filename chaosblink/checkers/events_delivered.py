"""Every event ZITADEL wrote was delivered from its own list, and nothing was delivered that it did not write."""

from __future__ import annotations

from chaosblink.checkers.event_reads import NEEDS, BothSides, both_sides
from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round

__all__ = ["NEEDS", "TIMING", "check"]

TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` events are lost (written, not delivered from their list) or phantoms (delivered, not written)."""
    sides, why = both_sides(recorded)
    if why:
        return unknown(why)
    wrong = [(side.queue, kind, ids) for side in sides for kind, ids in _wrong(side).items() if ids]
    count = sum(len(ids) for _, _, ids in wrong)
    if count > bound:
        told = [f"{queue}: {len(ids)} {kind} ({names(ids)})" for queue, kind, ids in wrong]
        return Finding("fail", count, "; ".join(told))
    written = ", ".join(f"{len(side.written)} {side.queue}" for side in sides)
    return Finding("pass", count, f"every event was delivered: {written}")


def _wrong(side: BothSides) -> dict[str, list[str]]:
    written, delivered = set(side.written), set(side.delivered)
    lost = [identity for identity in side.written if identity not in delivered]
    phantoms = [identity for identity in dict.fromkeys(side.delivered) if identity not in written]
    return {"lost": lost, "phantom": phantoms}
