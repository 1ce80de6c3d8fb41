"""Logins, bystanders, whether a recording counts, and whether the machine itself was the fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaosblink.checkers import bystanders, logins, recording
from chaosblink.checkers.disturbance import disturbance
from chaosblink.checkers.rounds import Round
from chaosblink.history import Event, Operation, Outcome
from tests.synthetic_history import T0, a_round, around, history
from tests.synthetic_scenarios import MS, SECOND


def steady_logins() -> list[Operation]:
    return around([("ok", 25)], "login", 200)


def a_login(start_ms: float, end_ms: float, outcome: Outcome = "unknown") -> Operation:
    start, end = T0 + round(start_ms * MS), T0 + round(end_ms * MS)
    return Operation("login", "login", "x", start, start, end, outcome, "token:502")


INJECTING = Event(T0 - 10 * MS, "fault", {"event": "injecting"})


@pytest.mark.parametrize(("start_ms", "end_ms"), [(-80, 40), (-80, -5), (-9, 5)])
def test_a_failed_login_open_while_the_fault_bit_was_in_flight(start_ms: float, end_ms: float) -> None:
    finding = logins.check(a_round([*steady_logins(), a_login(start_ms, end_ms)], [INJECTING]), 0)
    assert finding.verdict == "pass"
    assert "1 failed in flight" in finding.why


@pytest.mark.parametrize(("start_ms", "end_ms"), [(1, 90), (-900, -800), (8000, 9000)])
def test_any_other_failed_login_breaks_the_promise(start_ms: float, end_ms: float) -> None:
    finding = logins.check(a_round([*steady_logins(), a_login(start_ms, end_ms)], [INJECTING]), 0)
    assert (finding.verdict, finding.measured) == ("fail", 1)
    assert "1 x token:502" in finding.why


@pytest.mark.parametrize(("start_ms", "verdict"), [(-9, "fail"), (-4, "pass")])
def test_what_failed_before_the_fault_could_hurt_was_not_in_flight(start_ms: float, verdict: str) -> None:
    bitten = Event(T0, "fault", {"event": "bitten", "proof": {"begun_at": T0 - 5 * MS}})
    failed = a_login(start_ms, start_ms + 2)
    assert logins.check(a_round([*steady_logins(), failed], [INJECTING, bitten]), 0).verdict == verdict


def test_too_few_logins_prove_nothing() -> None:
    assert logins.check(a_round(around([("ok", 10)], "login", 200)), 0).verdict == "unknown"
    assert logins.check(a_round([]), 0).verdict == "unknown"


def with_bystander(pattern: list[tuple[Outcome, float]], interval_ms: int = 100) -> Round:
    paths = {
        "vault/persistent": {"interval_ms": interval_ms, "focus": False},
        "postgresql/persistent": {"interval_ms": 10, "focus": True},
    }
    operations = around(pattern, "vault/persistent", interval_ms) + around([("fail", 2), ("ok", 18)])
    return a_round(operations, paths=paths)


def test_a_bystander_that_goes_on_writing_keeps_its_promise() -> None:
    finding = bystanders.check(with_bystander([("ok", 20)]), 0)
    assert finding.verdict == "pass"
    assert "longest time without a success 100 ms" in finding.why


def test_one_failed_write_of_a_bystander_breaks_it() -> None:
    finding = bystanders.check(with_bystander([("ok", 3), ("unknown", 0.1), ("ok", 16.9)]), 0)
    assert finding.verdict == "fail"
    assert "1 of 200 on vault/persistent" in finding.why


def test_a_bystander_that_fell_silent_is_unknown() -> None:
    assert "issued" in bystanders.check(with_bystander([("ok", 4)]), 0).why


def test_a_round_without_bystanders_is_unknown() -> None:
    assert bystanders.check(a_round(around([("ok", 5)])), 0).verdict == "unknown"


def test_a_whole_recording_counts() -> None:
    finding = recording.check(a_round(around([("fail", 2), ("ok", 5)])), 20)
    assert (finding.verdict, finding.measured) == ("pass", 0.0)


def test_a_recording_with_every_fourth_operation_missing_does_not_count() -> None:
    operations = [op for n, op in enumerate(around([("ok", 5)])) if n % 4 != 2]
    finding = recording.check(a_round(operations), 20)
    assert finding.verdict == "unknown"
    assert "only 75 % of the 650 operations due" in finding.why


def test_ninety_nine_successes_before_t0_are_too_few() -> None:
    operations = history([("ok", 0.99), ("ok", 6)], begin=T0 - 990 * MS)
    assert "only 99 operations" in recording.check(a_round(operations), 20).why


def test_ninety_successes_after_recovery_are_too_few() -> None:
    operations = around([("fail", 1), ("ok", 5)], interval_ms=50)[: 150 + 20 + 90]
    paths = {"postgresql/persistent": {"interval_ms": 50, "focus": True}}
    assert "only 90 operations" in recording.check(a_round(operations, paths=paths), 20).why


def test_the_writers_end_before_the_logins_and_that_is_no_gap() -> None:
    operations = around([("ok", 6)]) + around([("ok", 40)], "login", 200)
    assert recording.check(a_round(operations), 20).verdict == "pass"


def test_an_empty_history_or_no_path_in_focus_does_not_count() -> None:
    paths = {"postgresql/persistent": {"interval_ms": 10, "focus": True}}
    assert "no operation" in recording.check(a_round([], paths=paths), 20).why
    assert "no path in focus" in recording.check(a_round([]), 20).why


def test_a_calm_machine_does_not_disturb() -> None:
    assert disturbance(a_round(around([("ok", 5)]), [Event(T0, "tick", {"late": 250 * MS})])) == ""


def test_a_tick_too_late_disturbs() -> None:
    assert "251 ms late" in disturbance(a_round([], [Event(T0, "tick", {"late": 251 * MS})]))


def test_six_percent_of_late_starts_disturb_and_five_do_not() -> None:
    operations = around([("ok", 8.5)])
    assert len(operations) == 1000

    def late(share: int) -> list[Operation]:
        return [replace(op, start=op.due + 51 * MS) if n < share else op for n, op in enumerate(operations)]

    assert disturbance(a_round(late(50))) == ""
    assert "5.1%" in disturbance(a_round(late(51)))


def test_a_round_may_carry_its_own_threshold() -> None:
    tick = Event(T0 + SECOND, "tick", {"late": 300 * MS})
    assert disturbance(a_round([], [tick], disturbed_threshold=400)) == ""


def used_by_others(percent: float, begins_s: float, ends_s: float, cores: int = 2) -> list[Event]:
    """Samples four times a second from 10 s before the fault to 20 s after it: others are idle but for one time."""
    events = []
    for quarter in range(-40, 80):
        busy = begins_s * 4 <= quarter < ends_s * 4
        data = {"instance": "others", "percent": percent if busy else 4.0, "rss": 0, "cores": cores}
        events.append(Event(T0 + quarter * SECOND // 4, "cpu", data))
    return events


def test_a_machine_that_others_use_after_the_fault_disturbs() -> None:
    assert "used 60% of the machine's CPU" in disturbance(a_round([], used_by_others(120, 1, 8)))
    assert disturbance(a_round([], used_by_others(120, 1, 8, cores=8))) == ""


@pytest.mark.parametrize(("begins_s", "ends_s"), [(-9, 0), (3, 4.5)])
def test_others_before_the_fault_or_for_a_moment_do_not_disturb(begins_s: float, ends_s: float) -> None:
    assert disturbance(a_round([], used_by_others(120, begins_s, ends_s))) == ""


def test_others_below_the_bound_do_not_disturb_and_above_it_do() -> None:
    assert disturbance(a_round([], used_by_others(48, -10, 20))) == ""
    assert disturbance(a_round([], used_by_others(52, -10, 20))) != ""


def test_an_instance_that_works_is_not_others() -> None:
    events = [Event(event.at, "cpu", {**event.data, "instance": "vault-0"}) for event in used_by_others(150, 0, 20)]
    assert disturbance(a_round([], events)) == ""
