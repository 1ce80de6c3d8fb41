"""Events: delivered, once, in order, in time; every way in which that can be untrue is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosblink.checkers import events_arrive, events_delivered, events_in_order, events_once
from chaosblink.checkers.events_in_order import out_of_order
from chaosblink.checkers.finding import Finding
from chaosblink.checkers.rounds import load
from chaosblink.history import EventRead, Operation, write_lines
from tests.synthetic_history import T0, a_round
from tests.synthetic_scenarios import MS, SECOND

ALL = (events_delivered, events_once, events_in_order)


def reads(high: str, delivered: str, removed: int = 0) -> list[EventRead]:
    """Both sides of the high list, one letter an event; the other lists hold one good event each."""
    said = [EventRead("store", "high", 9, list(high)), EventRead("consumer", "high", 9, list(delivered), removed)]
    for queue in ("normal", "low"):
        said += [EventRead(source, queue, 9, [queue]) for source in ("store", "consumer")]
    return said


def judged(checker: ModuleType, said: list[EventRead], bound: float = 0) -> Finding:
    recorded = a_round([], component="eventrelay")
    recorded.event_reads = said
    return checker.check(recorded, bound)


@pytest.mark.parametrize("checker", ALL)
def test_a_good_delivery_passes(checker: ModuleType) -> None:
    finding = judged(checker, reads("abcd", "abcd", removed=2))
    assert (finding.verdict, finding.measured) == ("pass", 0)


def test_removed_duplicates_are_told() -> None:
    assert "2 duplicates arrived and were removed" in judged(events_once, reads("ab", "ab", 2)).why


@pytest.mark.parametrize(
    ("checker", "delivered", "count", "why"),
    [
        (events_delivered, "abd", 1, "high: 1 lost (c)"),
        (events_delivered, "", 4, "4 lost (a, b, c, d)"),
        (events_delivered, "abcdx", 1, "high: 1 phantom (x)"),
        (events_once, "abcdb", 1, "1 events had their effect more than once (b)"),
        (events_in_order, "acbd", 1, "high: 1 after a later one (b)"),
        (events_in_order, "dabc", 3, "3 after a later one (a, b, c)"),
    ],
)
def test_a_broken_delivery_fails(checker: ModuleType, delivered: str, count: int, why: str) -> None:
    finding = judged(checker, reads("abcd", delivered))
    assert (finding.verdict, finding.measured) == ("fail", count)
    assert why in finding.why


@pytest.mark.parametrize(
    ("checker", "delivered"),
    [(events_once, "abd"), (events_once, "acbd"), (events_in_order, "abd"), (events_in_order, "abcdb")],
)
def test_each_checker_minds_its_own_business(checker: ModuleType, delivered: str) -> None:
    assert judged(checker, reads("abcd", delivered)).verdict == "pass"


def test_an_event_in_another_list_is_lost_there_and_a_phantom_here() -> None:
    said = reads("ab", "a")
    said[3] = replace(said[3], ids=["normal", "b"])
    finding = judged(events_delivered, said)
    assert finding.measured == 2
    assert "high: 1 lost (b)" in finding.why
    assert "normal: 1 phantom (b)" in finding.why


def test_an_event_delivered_from_two_lists_had_its_effect_twice() -> None:
    said = reads("ab", "ab")
    said[3] = replace(said[3], ids=["normal", "b"])
    assert judged(events_once, said).verdict == "fail"


@pytest.mark.parametrize("checker", ALL)
def test_what_was_not_read_is_unknown(checker: ModuleType) -> None:
    whole = reads("ab", "ab")
    assert judged(checker, []).verdict == "unknown"
    for missing in range(len(whole)):
        assert "not read" in judged(checker, [read for read in whole if read is not whole[missing]]).why
    broken = [replace(whole[1], complete=False, why="no primary", ids=[]), whole[0], *whole[2:]]
    assert "consumer high: no primary" in judged(checker, broken).why
    assert judged(checker, broken).verdict == "unknown"


@pytest.mark.parametrize("checker", ALL)
def test_a_round_without_events_proves_nothing(checker: ModuleType) -> None:
    empty = [EventRead(source, queue, 9, []) for source in ("store", "consumer") for queue in ("high", "normal", "low")]
    assert judged(checker, empty).verdict == "unknown"


@pytest.mark.parametrize("checker", ALL)
def test_a_missing_file_is_unknown(checker: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "round.json").write_text('{"component": "eventrelay"}')
    assert "event_reads.jsonl is missing" in checker.check(load(tmp_path), 0).why
    write_lines(tmp_path / "event_reads.jsonl", reads("a", "a"))
    assert checker.check(load(tmp_path), 0).verdict == "pass"


@given(st.lists(st.integers(0, 20), unique=True), st.data())
def test_order_is_broken_exactly_where_it_is(numbers: list[int], data: st.DataObject) -> None:
    written = [str(number) for number in sorted(numbers)]
    delivered = data.draw(st.permutations(written))
    late = out_of_order(written, list(delivered))
    assert (late == []) == (list(delivered) == written)
    kept = [identity for identity in delivered if identity not in late]
    assert kept == [identity for identity in written if identity not in late]


def arrivals(*slow: tuple[float, float], outcome: str = "ok", reason: str = "") -> list[Operation]:
    """Five events a second for 25 s on both sides of the fault, each there after 1.1 s, and some (start, took) more."""
    usual = [(at * 200.0, 1100.0) for at in range(-125, 125)]
    operations = [_arrival(*one) for one in usual]
    return operations + [
        replace(_arrival(*one), outcome=outcome, reason=reason, id=f"slow-{one[0]:g}")  # type: ignore[arg-type]
        for one in slow
    ]


def _arrival(at_ms: float, took_ms: float) -> Operation:
    start = T0 + round(at_ms * MS)
    end = start + round(took_ms * MS)
    return Operation("eventrelay/persistent", "deliver", f"e{at_ms:g}", start, start, end, "ok")


def arriving(operations: list[Operation], bound: float | None = 8000, configured: float | None = 5500) -> Finding:
    paths = {"eventrelay/persistent": {"interval_ms": 200, "focus": True}}
    bounds = {"eventrelay": {"ms": configured}} if configured else {}
    return events_arrive.check(a_round(operations, component="eventrelay", paths=paths, bounds=bounds), bound)


def test_the_slowest_arrival_is_measured() -> None:
    finding = arriving(arrivals((50, 4200)))
    assert (finding.verdict, finding.measured) == ("pass", 4200)
    assert "median 1100 ms" in finding.why


def test_an_event_on_its_way_counts_from_the_fault_on() -> None:
    assert arriving(arrivals((-900, 9000))).verdict == "fail"
    finding = arriving(arrivals((-1500, 9000)))
    assert (finding.verdict, finding.measured) == ("pass", 7500)


@pytest.mark.parametrize("start_ms", [-12_000, 300])
def test_an_event_that_arrives_too_late_fails(start_ms: float) -> None:
    finding = arriving(arrivals((start_ms, 9000)))
    assert (finding.verdict, finding.measured) == ("fail", 9000)
    assert "slow-" in finding.why


def test_without_a_bound_the_configured_one_counts() -> None:
    assert arriving(arrivals((50, 5600)), bound=None).verdict == "fail"
    assert arriving(arrivals((50, 5400)), bound=None).verdict == "pass"
    assert arriving(arrivals(), bound=None, configured=None).verdict == "unknown"


def test_an_event_that_never_arrived_fails() -> None:
    assert arriving(arrivals((50, 20000), outcome="unknown", reason="delivery:deadline")).verdict == "fail"


def test_an_event_that_was_not_watched_long_enough_is_unknown() -> None:
    assert arriving(arrivals((24000, 3000), outcome="unknown", reason="delivery:CancelledError")).verdict == "unknown"


def test_an_event_that_could_not_be_caused_is_missing_data() -> None:
    finding = arriving(arrivals((50, 30), outcome="unknown", reason="session:503"))
    assert finding.verdict == "unknown"
    assert "session:503" in finding.why


def test_too_few_events_prove_nothing() -> None:
    assert arriving([op for op in arrivals() if op.start < T0 + SECOND]).verdict == "unknown"
    assert arriving([]).verdict == "unknown"
