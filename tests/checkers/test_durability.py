"""Acknowledged and absent is lost, refused and present is a phantom, present twice is a duplicate; each by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaosblink.checkers import durability as checker
from chaosblink.checkers.durability import durability
from chaosblink.checkers.finding import Finding
from chaosblink.history import FinalRead, Operation, Outcome
from tests.synthetic_history import a_round

SERVERS = ("postgresql-0", "postgresql-1", "postgresql-2")


def op(name: str, outcome: Outcome = "ok", path: str = "postgresql/persistent") -> Operation:
    return Operation(path, "write", name, 0, 1, 2, outcome)


def reads(*ids: str, store: str = "postgresql", servers: tuple[str, ...] = SERVERS) -> list[FinalRead]:
    roles = ["primary"] + ["standby"] * (len(servers) - 1)
    return [FinalRead(store, server, role, 9, list(ids)) for server, role in zip(servers, roles, strict=True)]


def judged(operations: list[Operation], found: list[FinalRead], stores: str = "under-fault") -> Finding:
    return checker.check(a_round(operations, reads=found), 0, stores, {"postgresql": 3, "redis": 2})


def test_what_was_acknowledged_is_there() -> None:
    finding = judged([op("a"), op("b"), op("c", "fail")], reads("a", "b"))
    assert finding.verdict == "pass"
    assert "2 acknowledged writes found on each of 3 servers" in finding.why


@pytest.mark.parametrize("held", [("a",), ("a", "u")])
def test_an_unknown_operation_may_be_there_or_not(held: tuple[str, ...]) -> None:
    assert judged([op("a"), op("u", "unknown")], reads(*held)).verdict == "pass"


def test_an_acknowledged_write_that_is_gone_is_named() -> None:
    finding = judged([op("a"), op("b")], reads("a"))
    assert (finding.verdict, finding.measured) == ("fail", 1)
    assert "postgresql-0 (primary): 1 lost (b)" in finding.why


def test_a_write_lost_on_one_replica_is_lost() -> None:
    found = reads("a", "b")
    found[2] = FinalRead("postgresql", "postgresql-2", "standby", 9, ["a"])
    finding = judged([op("a"), op("b")], found)
    assert finding.verdict == "fail"
    assert finding.why == "postgresql-2 (standby): 1 lost (b)"


def test_a_refused_write_that_appears_is_a_phantom() -> None:
    assert "1 phantom (b)" in judged([op("a"), op("b", "fail")], reads("a", "b")).why


def test_a_write_that_appears_twice_is_a_duplicate() -> None:
    assert "1 duplicate (a)" in judged([op("a")], reads("a", "a")).why


def test_an_incomplete_final_read_is_unknown() -> None:
    found = reads("a")
    found[1] = FinalRead("postgresql", "postgresql-1", "standby", 9, [], False, "connection lost")
    finding = judged([op("a")], found)
    assert finding.verdict == "unknown"
    assert "postgresql-1 was not read whole: connection lost" in finding.why


def test_a_loss_that_is_seen_is_a_failure_even_when_another_read_is_incomplete() -> None:
    found = reads("a")
    found[1] = FinalRead("postgresql", "postgresql-1", "standby", 9, [], False, "connection lost")
    assert judged([op("a"), op("b")], found).verdict == "fail"


def test_a_server_that_was_not_read_is_unknown() -> None:
    finding = judged([op("a")], reads("a")[:2])
    assert finding.verdict == "unknown"
    assert "2 of 3 servers" in finding.why


def test_a_store_without_a_leader_is_unknown() -> None:
    found = [FinalRead("postgresql", server, "standby", 9, ["a"]) for server in SERVERS]
    assert "not read on a leader" in judged([op("a")], found).why


def test_a_store_where_nothing_was_acknowledged_proves_nothing() -> None:
    assert "nothing is proven" in judged([op("a", "fail")], reads()).why


def test_a_later_read_of_a_server_replaces_an_earlier_one() -> None:
    failed = FinalRead("postgresql", "postgresql-0", "primary", 8, [], False, "timeout")
    assert judged([op("a")], [failed, *reads("a")]).verdict == "pass"


def test_bystanders_are_judged_apart_from_the_store_under_fault() -> None:
    operations = [op("a"), op("r", path="redis-1/persistent")]
    found = [*reads("a"), FinalRead("redis-1", "redis-master-0", "master", 9, [])]
    assert judged(operations, found).verdict == "pass"
    other = judged(operations, found, stores="bystanders")
    assert other.verdict == "fail"
    assert "1 lost (r)" in other.why


def test_the_edges_redis_entrance_writes_into_set_one() -> None:
    operations = [op("r", path="redis-master/persistent")]
    [copy] = durability(operations, [FinalRead("redis-1", "redis-master-0", "master", 9, ["r"])], "redis-1")
    assert (copy.acknowledged, copy.wrong) == (1, set())


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.sampled_from(["ok", "fail", "unknown"]), min_size=1),
    st.data(),
)
def test_exactly_the_wrong_ones_are_named(outcomes: dict[str, Outcome], data: st.DataObject) -> None:
    held = data.draw(st.lists(st.sampled_from(sorted(outcomes))))
    [copy] = durability([op(name, outcome) for name, outcome in outcomes.items()], reads(*held)[:1], "postgresql")
    assert set(copy.lost) == {name for name, outcome in outcomes.items() if outcome == "ok"} - set(held)
    assert set(copy.phantoms) == {name for name, outcome in outcomes.items() if outcome == "fail"} & set(held)
    assert set(copy.duplicates) == {name for name in held if held.count(name) > 1}
