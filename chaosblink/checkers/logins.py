"""Logins stay available: no failed login but those open while the fault was biting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from chaosblink.checkers.coverage import too_thin
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.rounds import Round
from chaosblink.history import Operation

NEEDS = ("history.jsonl", "timeline.jsonl")
TIMING = True

PATH = "login"


@dataclass(frozen=True, slots=True)
class Logins:
    """Logins of a round; `failed` are those that count, `in_flight` failed ones open at t0, which do not."""

    attempted: int
    failed: list[Operation]
    in_flight: list[Operation]

    @property
    def availability(self) -> float:
        """Share of logins that succeeded, those in flight included."""
        return 1 - (len(self.failed) + len(self.in_flight)) / self.attempted if self.attempted else 0.0


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` logins failed beside those in flight at t0."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    found = logins(recorded)
    if len(found.failed) > bound:
        reasons = Counter(op.reason or op.outcome for op in found.failed).most_common(5)
        told = ", ".join(f"{count} x {reason}" for reason, count in reasons)
        why = f"{len(found.failed)} of {found.attempted} logins failed that were not open at t0: {told}"
        return Finding("fail", len(found.failed), why)
    thin = too_thin(recorded, PATH, recorded.t0)
    if thin:
        return unknown(thin)
    why = f"{found.attempted} logins, {len(found.in_flight)} failed in flight, availability {found.availability:.3%}"
    return Finding("pass", len(found.failed), why)


def logins(recorded: Round) -> Logins:
    """Sort the failed logins of a round into those in flight and the others.

    The victim dies between `injecting` and `bitten`; a login open at any moment of that bracket was in flight. A fault
    that first does what no login can notice says in its proof when it began to hurt (`begun_at`).
    """
    t0 = recorded.t0 or 0
    begun = next((event.at for event in recorded.faults("injecting") if event.at <= t0), t0)
    hurt = [(event.data.get("proof") or {}).get("begun_at") for event in recorded.faults("bitten") if event.at == t0]
    begun = max([begun, *[at for at in hurt if at is not None and at <= t0]])
    attempted = recorded.on(PATH)
    failed = [op for op in attempted if op.outcome != "ok"]
    in_flight = [op for op in failed if op.start <= t0 and op.end >= begun]
    return Logins(len(attempted), [op for op in failed if op not in in_flight], in_flight)
