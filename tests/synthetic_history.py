"""Small histories by hand: `[("ok", 5), ("fail", 2), ("ok", 10)]` is a path that is away for two seconds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chaosblink.checkers.rounds import Round
from chaosblink.history import Event, FinalRead, Operation, Outcome
from tests.synthetic_scenarios import MS, SECOND

T0 = 100 * SECOND
TOOK = 2 * MS


def history(
    pattern: Iterable[tuple[Outcome, float]],
    path: str = "postgresql/persistent",
    interval_ms: int = 10,
    begin: int = T0,
    server: str = "postgresql-0",
) -> list[Operation]:
    """Operations from `begin` (ns) on, each stretch so many seconds long; each is due, started and done in 2 ms."""
    operations: list[Operation] = []
    due = begin
    for outcome, seconds in pattern:
        end = due + round(seconds * SECOND)
        while due < end:
            label = f"{path}-{due}"
            by = server if outcome == "ok" else ""
            operations.append(Operation(path, "write", label, due, due + 1, due + TOOK, outcome, "", by))
            due += interval_ms * MS
    return operations


def around(
    after: Iterable[tuple[Outcome, float]], path: str = "postgresql/persistent", interval_ms: int = 10
) -> list[Operation]:
    """The same from t0 on, with enough calm before it: 1.5 times the hundred successes that rule 10 asks for."""
    calm = 150 * interval_ms / 1000
    begin = T0 - round(calm * SECOND)
    return history([("ok", calm), *after], path, interval_ms, begin)


def a_round(
    operations: list[Operation], events: Iterable[Event] = (), reads: Iterable[FinalRead] = (), **settings: Any
) -> Round:
    """A round in memory, bitten at T0, with a path of round.json for every path of the history (in focus)."""
    intervals = {"login": 200}
    paths = {op.path: {"interval_ms": intervals.get(op.path, 10), "focus": True} for op in operations}
    facts = {"component": "postgresql", "selector": "postgresql/primary", "victims": ["postgresql-0"], "paths": paths}
    bitten = Event(T0, "fault", {"event": "bitten"})
    ordered = sorted([*events, bitten], key=lambda event: event.at)
    return Round("made-up", 1, Path("round-01"), facts | settings, operations, ordered, list(reads))


def role(at_ms: float, instance: str, says: str, component: str = "postgresql") -> Event:
    """An answer `at_ms` after t0, asked 2 ms before."""
    at = T0 + round(at_ms * MS)
    return Event(at, "role", {"component": component, "instance": instance, "role": says, "asked": at - 2 * MS})
