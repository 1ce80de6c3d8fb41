"""The rule that finds the knee, and the figures of a step, against loads whose knee is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chaosblink.load.knee import Knee, knee, users_of_steps
from chaosblink.load.steps import Step, Window, read, summarised

SECOND = 1_000_000_000
IDLE_MS = 10.0


def machine(users: int, capacity: float = 400.0) -> Step:
    """A server that does at most `capacity` requests a second: beyond that, users only wait for each other."""
    rate = min(users / (IDLE_MS / 1000), capacity)
    median = users / rate * 1000
    return Step(users, 10, rate, rate / 10, median, 2 * median, 0, rate / 1000, 2.0, {})


def search(most: int = 64, **options: float) -> tuple[Knee | None, list[Step]]:
    steps: list[Step] = []
    for users in users_of_steps(1, most):
        steps.append(machine(users, **options))
        found = knee(steps)
        if found:
            return found, steps
    return None, steps


def test_users_grow_by_half_and_by_at_least_one() -> None:
    assert list(users_of_steps(1, 20)) == [1, 2, 3, 4, 6, 9, 14]


def test_the_knee_is_where_throughput_stops_growing() -> None:
    found, steps = search()
    assert found is not None
    assert (found.users, found.requests_per_s) == (4, 400)
    assert "stopped growing" in found.why
    assert steps[-1].users == 6


def test_no_knee_is_claimed_while_there_is_room() -> None:
    assert search(most=20, capacity=1e6)[0] is None


def test_one_step_alone_shows_no_knee() -> None:
    assert knee([machine(1)]) is None


def test_a_doubled_median_ends_the_search_although_throughput_grows() -> None:
    slow = [
        replace(machine(users), requests_per_s=users**0.5 * 100, median_ms=users**0.5 * 10) for users in (1, 2, 3, 4)
    ]
    found = knee(slow)
    assert found is not None
    assert (found.users, "median doubled" in found.why) == (3, True)


def test_failures_that_come_with_more_users_end_the_search() -> None:
    found = knee([machine(1), replace(machine(2), failed=3)])
    assert found is not None
    assert (found.users, found.why) == (1, "3 requests failed with 2 users")


def line(at_ms: float, step: str = "introspect", took_ms: float = 5, ok: bool = True) -> dict:
    end = int(at_ms * 1e6)
    return {"start": end - int(took_ms * 1e6), "end": end, "step": step, "ok": ok}


def test_a_step_counts_what_ended_in_its_window_and_leaves_preparations_out() -> None:
    inside = [line(1000 + 10 * n, took_ms=1 + n % 10) for n in range(100)]
    logins = [line(1500, "token"), line(1600, "token"), line(1700, "token", ok=False)]
    outside = [line(999), line(3000), line(1500, "machine-setup")]
    step = summarised(3, inside + logins + outside, Window(SECOND, 3 * SECOND), 0.5, 1.8)
    assert (step.users, step.seconds, step.requests_per_s, step.logins_per_s) == (3, 2, 51, 1)
    assert (step.failed, step.operations["token"].failed) == (1, 1)
    assert set(step.operations) == {"introspect", "token"}
    assert step.operations["introspect"].median_ms == pytest.approx(5.5)
    assert step.operations["introspect"].p95_ms == pytest.approx(10, abs=0.5)
    assert step.requests_per_generator_core == pytest.approx(102)


def test_a_step_with_next_to_nothing_in_it_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="only 5 requests"):
        summarised(1, [line(1000 + n) for n in range(5)], Window(SECOND, 2 * SECOND), 0.1, 0.1)


def test_a_line_cut_off_by_the_end_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text('{"step": "token"}\n{"step": "tok')
    assert read(file) == [{"step": "token"}]
