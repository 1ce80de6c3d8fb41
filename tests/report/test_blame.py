"""The blame timeline from events and operations whose times are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaosblink.checkers.rounds import Round as Recorded
from chaosblink.history import Event, Operation
from chaosblink.report.blame import Blame, blame
from chaosblink.report.recording import Round

MS = 1_000_000
T0 = 10_000 * MS


def role(at_ms: int, instance: str, word: str) -> Event:
    """An answer that arrives `at_ms` after t0, asked 4 ms before."""
    at = T0 + at_ms * MS
    data = {"component": "postgresql", "instance": instance, "role": word, "asked": at - 4 * MS}
    return Event(at, "role", data)


def view(at_ms: int, instance: str, sees: str) -> Event:
    """Somebody's opinion of who leads PostgreSQL."""
    return Event(
        T0 + at_ms * MS, "view", {"component": "pgpool", "instance": instance, "of": "postgresql", "sees": sees}
    )


BEFORE = [
    role(-500, "postgresql-0", "primary"),
    role(-500, "postgresql-1", "standby"),
    view(-500, "pgpool-0", "postgresql-0"),
]


def judged(events: list[Event], login_ms: float | None = 5200.0) -> Blame:
    """The blame of a round with these events and one fresh connection every 100 ms from 2 s after t0."""
    bitten: dict[str, Any] = {"event": "bitten", "victims": ["postgresql-0"]}
    ordered = sorted([*BEFORE, Event(T0, "fault", bitten), *events], key=lambda event: event.at)
    starts = range(T0 + 2000 * MS, T0 + 6000 * MS, 100 * MS)
    operations = [
        Operation("postgresql/fresh", "write", str(at), at, at, at + 20 * MS, "ok", server="postgresql-1")
        for at in starts
    ]
    settings = {"component": "postgresql", "selector": "postgresql/primary", "victims": ["postgresql-0"]}
    recorded = Recorded("postgresql-primary-kill", 1, Path("round-01"), settings, operations, ordered)
    found = blame(Round(recorded), login_ms)
    assert found is not None
    return found


def times(found: Blame) -> list[float | None]:
    """Milliseconds of the stages."""
    return [stage.ms for stage in found.stages]


def test_every_stage_is_found_by_its_earlier_bound() -> None:
    events = [role(50, "postgresql-0", ""), view(1000, "pgpool-0", ""), role(2534, "postgresql-1", "primary")]
    found = judged(events)
    assert times(found) == [1000.0, 2530.0, 2620.0, 5200.0]
    assert found.stage("new leader").bracket_ms == 4.0
    assert found.kind == "failed over"


def test_a_leader_that_comes_back_leads_again_in_place() -> None:
    found = judged([role(50, "postgresql-0", ""), role(3004, "postgresql-0", "primary")])
    assert found.kind == "restarted in place"
    assert found.stage("new leader").ms == 3000.0


def test_a_victim_that_never_stopped_leading_is_no_new_leader() -> None:
    found = judged([role(100, "postgresql-0", "primary"), role(200, "postgresql-1", "standby")])
    assert times(found) == [None, None, None, 5200.0]


def test_without_t0_there_is_no_blame() -> None:
    recorded = Recorded("postgresql-primary-kill", 1, Path("round-01"))
    assert blame(Round(recorded), None) is None
