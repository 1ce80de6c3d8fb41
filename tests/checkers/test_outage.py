"""Rule 5: t0 to the first success from which the path stays up for 3 s and 50 successes, or for 10 s."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosblink.checkers import outage as checker
from chaosblink.checkers.outage import outage
from chaosblink.history import Operation, Outcome
from tests.synthetic_history import T0, TOOK, a_round, around, history
from tests.synthetic_scenarios import MS, SECOND

PATH = "postgresql/persistent"


def test_a_path_that_never_failed_was_not_away() -> None:
    found = outage(history([("ok", 5)]), T0)
    assert (found.ms, found.failed, found.interruptions, found.availability) == (0.0, 0, 0, 1.0)


def test_the_outage_lasts_to_the_first_acknowledgement_of_the_lasting_series() -> None:
    found = outage(history([("fail", 2), ("ok", 5)]), T0)
    assert found.ms == 2002.0
    assert found.failed == 200
    assert found.downtime_ms == pytest.approx(2002, abs=1)
    assert found.availability == pytest.approx(500 / 700)


def test_unknown_outcomes_count_as_away() -> None:
    assert outage(history([("unknown", 1), ("ok", 5)]), T0).ms == 1002.0


def test_a_path_that_comes_up_for_two_seconds_only_is_not_back() -> None:
    found = outage(history([("fail", 1), ("ok", 2), ("fail", 1), ("ok", 5)]), T0)
    assert found.ms == 4002.0
    assert found.interruptions == 2


def test_three_seconds_are_not_enough_without_fifty_successes() -> None:
    flapping: list[tuple[Outcome, float]] = [("fail", 1.0), ("ok", 4.0), ("fail", 0.2), ("ok", 10.0)]
    assert outage(history(flapping, interval_ms=100), T0).ms == 5202.0


def test_ten_seconds_are_enough_for_a_path_that_is_probed_seldom() -> None:
    once_more: list[tuple[Outcome, float]] = [("fail", 4.0), ("ok", 12.0), ("fail", 0.8), ("ok", 4.0)]
    assert outage(history(once_more, interval_ms=400), T0).ms == 4002.0
    assert outage(history([("fail", 4.0), ("ok", 8.0)], interval_ms=400), T0).ms is None


def test_fifty_successes_are_not_enough_without_three_seconds() -> None:
    assert outage(history([("fail", 1), ("ok", 2.9), ("fail", 0.1), ("ok", 5)]), T0).ms == 4002.0


def test_a_late_single_failure_does_not_lengthen_the_outage_but_is_counted() -> None:
    found = outage(history([("fail", 1), ("ok", 4), ("fail", 0.01), ("ok", 5)]), T0)
    assert (found.ms, found.failed, found.interruptions) == (1002.0, 101, 2)


def test_times_away_that_overlap_count_once() -> None:
    def waited(start_ms: int, outcome: Outcome) -> Operation:
        start = T0 + start_ms * MS
        return Operation(PATH, "write", f"w{start_ms}", start, start, T0 + 1000 * MS, outcome)

    in_line = [waited(100, "fail"), waited(200, "ok"), waited(300, "fail"), waited(400, "ok")]
    later = [replace(op, start=op.start + SECOND, end=op.end + SECOND) for op in history([("ok", 5)])]
    assert outage([*in_line, *later], T0).downtime_ms == pytest.approx(900, abs=1)


def test_an_operation_in_flight_at_t0_is_not_part_of_the_outage() -> None:
    open_at_t0 = Operation(PATH, "write", "early", T0 - MS, T0 - MS, T0 + 900 * MS, "unknown")
    assert outage([open_at_t0, *history([("ok", 5)])], T0).ms == 0.0


def test_a_stall_without_a_failure_shows_as_the_longest_gap() -> None:
    stalled = history([("ok", 6)])
    paused = [replace(op, end=T0 + 2 * SECOND) if op.start < T0 + 2 * SECOND else op for op in stalled]
    found = outage(paused, T0)
    assert found.ms == 0.0
    assert found.longest_gap_ms == pytest.approx(2000, abs=3)


def test_an_operation_that_hung_and_succeeded_last_does_not_postpone_recovery() -> None:
    operations = history([("fail", 1), ("ok", 5)])
    first = next(n for n, op in enumerate(operations) if op.outcome == "ok")
    operations[first] = replace(operations[first], end=operations[first].end + SECOND)
    assert outage(operations, T0).ms == pytest.approx(1012, abs=1)


def test_a_path_that_never_comes_back_is_unknown_with_a_lower_bound() -> None:
    found = outage(history([("fail", 20)]), T0)
    assert found.ms is None
    assert "never came back" in found.why
    assert found.at_least_ms == pytest.approx(19_990, abs=1)


def test_a_history_that_ends_too_early_is_unknown() -> None:
    found = outage(history([("fail", 1), ("ok", 2)]), T0)
    assert found.ms is None
    assert "ends 2.0 s and 200 successes" in found.why


def test_no_failure_but_an_early_end_is_unknown_too() -> None:
    assert outage(history([("ok", 1)]), T0).ms is None


def test_nothing_after_t0_is_unknown() -> None:
    found = outage([], T0, PATH)
    assert found.ms is None
    assert "no operation" in found.why


def test_a_promise_is_kept_only_within_its_bound() -> None:
    recorded = a_round(around([("fail", 2), ("ok", 5)]))
    assert checker.check(recorded, 2002, paths=["{store}/persistent"]).verdict == "pass"
    late = checker.check(recorded, 2001, paths=[PATH])
    assert late.verdict == "fail"
    assert "above 2001 ms" in late.why


def test_a_path_certainly_away_longer_than_promised_fails_though_its_end_is_unknown() -> None:
    recorded = a_round(around([("fail", 20)]))
    assert checker.check(recorded, 12_000, paths=[PATH]).verdict == "fail"
    assert checker.check(recorded, 60_000, paths=[PATH]).verdict == "unknown"


def test_a_second_interruption_counts_against_the_bound() -> None:
    recorded = a_round(around([("fail", 2), ("ok", 4), ("fail", 2), ("ok", 5)]))
    found = checker.check(recorded, 3000, paths=[PATH])
    assert found.verdict == "fail"
    assert "failed again" in found.why


def test_a_path_that_round_json_does_not_name_is_unknown() -> None:
    assert checker.check(a_round(around([("ok", 5)])), 1000, paths=["postgresql/fresh"]).verdict == "unknown"


def test_without_t0_nothing_is_known() -> None:
    recorded = a_round(around([("ok", 5)]))
    recorded.events = []
    assert "t0" in checker.check(recorded, 1000, paths=[PATH]).why


STRETCHES = st.lists(st.tuples(st.sampled_from(["ok", "fail", "unknown"]), st.integers(1, 90)), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(STRETCHES, st.randoms(use_true_random=False))
def test_the_definition_holds_whatever_the_history(stretches: list, chance: random.Random) -> None:
    operations = history([(outcome, count / 20) for outcome, count in stretches], interval_ms=50)
    chance.shuffle(operations)
    found = outage(operations, T0)
    assert found.ms == _by_definition(sorted(operations, key=lambda op: op.start))
    assert found.at_least_ms <= (found.ms if found.ms is not None else float("inf"))
    assert found.failed == sum(op.outcome != "ok" for op in operations)


def _by_definition(ordered: list[Operation]) -> float | None:
    """The rule word for word, by trying every success: slow and plain."""
    for n, first in enumerate(ordered):
        rest = ordered[n:]
        down = next((op.start for op in rest if op.outcome != "ok"), None)
        up = [op for op in rest if down is None or op.start < down]
        stays = (rest[-1].start if down is None else down) - first.start
        lasts = (len(up) >= 50 and stays >= 3 * SECOND) or stays >= 10 * SECOND
        if first.outcome == "ok" and lasts:
            return 0.0 if n == 0 else (first.start - 1 + TOOK - T0) / MS
    return None
