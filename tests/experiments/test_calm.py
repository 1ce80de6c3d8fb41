"""A round goes on until every path has been calm for long enough, those beside the fault too."""

from __future__ import annotations

from collections import Counter

import pytest

from chaosblink.experiments import round as rounds
from chaosblink.experiments.round import CALM_S, Calm


class Writers:
    """Counts of operations as the writers' process reports them."""

    def __init__(self) -> None:
        self.ok: Counter[str] = Counter()
        self.not_ok: Counter[str] = Counter()

    def succeeded(self, path: str) -> int:
        return self.ok[path]

    def failed(self, path: str) -> int:
        return self.not_ok[path]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One number: what the round takes for the time."""
    now = [100.0]
    monkeypatch.setattr(rounds.time, "monotonic", lambda: now[0])
    return now


def test_a_round_without_a_path_in_focus_waits_for_those_beside_it(clock: list[float]) -> None:
    writers = Writers()
    calm = Calm(writers, {"vault/persistent": 10})  # type: ignore[arg-type]
    assert not calm()
    writers.ok["vault/persistent"] = 9
    clock[0] += CALM_S
    assert not calm()
    writers.ok["vault/persistent"] = 10
    assert calm()


def test_successes_come_with_time_and_a_failure_begins_anew(clock: list[float]) -> None:
    writers = Writers()
    calm = Calm(writers, {"redis-1/fresh": 100, "vault/persistent": 10})  # type: ignore[arg-type]
    calm()
    writers.ok.update({"redis-1/fresh": 200, "vault/persistent": 20})
    clock[0] += CALM_S - 0.1
    assert not calm()
    writers.not_ok["vault/persistent"] = 1
    clock[0] += 0.1
    assert not calm()
    writers.ok["vault/persistent"] = 30
    clock[0] += CALM_S
    assert calm()
