"""Checkers of faults that hit no leader, several servers, or end by themselves, against good and broken histories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosblink.checkers import (
    after_heal,
    bounded_loss,
    failover,
    leader_stays,
    no_majority,
    redundancy,
    single_leader,
    steady,
    steps_down,
)
from chaosblink.checkers.rounds import Round
from chaosblink.history import Event, FinalRead, Operation
from tests.synthetic_history import T0, a_round, around, role
from tests.synthetic_scenarios import MS, SECOND

PATH = "postgresql/persistent"
SETS = {"component": "redis", "selector": "redis/replica@2"}


# steady
def test_a_path_that_never_fails_is_steady() -> None:
    finding = steady.check(a_round(around([("ok", 5)])), 0, paths=["{store}/persistent"])
    assert (finding.verdict, finding.measured) == ("pass", 0)
    assert "longest time without a success" in finding.why


def test_one_failure_after_the_fault_is_seen_with_its_reason() -> None:
    operations = around([("ok", 5)])
    late = next(n for n, op in enumerate(operations) if op.start > T0 + SECOND)
    operations[late] = replace(operations[late], outcome="unknown", reason="connection-lost", server="")
    finding = steady.check(a_round(operations), 0, paths=[PATH])
    assert (finding.verdict, finding.measured) == ("fail", 1)
    assert "1 x connection-lost" in finding.why


def test_what_was_open_at_the_fault_may_fail() -> None:
    operations = around([("ok", 5)])
    open_then = Operation(PATH, "write", "open", T0 - MS, T0 - MS, T0 + 5 * MS, "unknown", "connection-lost")
    assert steady.check(a_round([*operations, open_then]), 0, paths=[PATH]).verdict == "pass"


def test_too_few_operations_prove_no_steadiness() -> None:
    assert steady.check(a_round(around([("ok", 0.5)])), 0, paths=[PATH]).verdict == "unknown"
    assert steady.check(a_round(around([("ok", 5)])), 0, paths=["vault/fresh"]).verdict == "unknown"


# leader_stays
def roles(*after: tuple[float, str, str]) -> list[Event]:
    before = [role(-500, "postgresql-0", "primary"), role(-500, "postgresql-1", "standby")]
    return [*before, *(role(at, instance, says) for at, instance, says in after)]


def test_a_leader_that_leads_on_stays() -> None:
    finding = leader_stays.check(a_round([], roles((100, "postgresql-1", ""), (900, "postgresql-0", "primary"))), 0)
    assert (finding.verdict, finding.measured) == ("pass", 0)


def test_a_leader_that_misses_one_answer_stays_too() -> None:
    silent = roles((100, "postgresql-0", ""), (700, "postgresql-0", "primary"))
    assert leader_stays.check(a_round([], silent), 0).verdict == "pass"


def test_another_leader_is_a_change() -> None:
    finding = leader_stays.check(a_round([], roles((4000, "postgresql-1", "primary"))), 0)
    assert (finding.verdict, finding.measured) == ("fail", 1)
    assert "postgresql-0 to postgresql-1" in finding.why


def test_a_change_in_another_set_counts_as_well() -> None:
    def both(at: float, first: str, second: str) -> list[Event]:
        return [role(at, first, "master", "redis"), role(at, second, "master", "redis")]

    steady_sets = [*both(-500, "redis-master-0", "redis-master-1"), *both(900, "redis-master-0", "redis-master-1")]
    kept = leader_stays.check(a_round([], steady_sets, component="sentinel", selector="sentinel/any"), 0)
    assert kept.verdict == "pass"
    changed = [*steady_sets[:2], *both(900, "redis-replica-0", "redis-master-1")]
    finding = leader_stays.check(a_round([], changed, component="sentinel", selector="sentinel/any"), 0)
    assert finding.verdict == "fail"
    assert "redis-master-0 to redis-replica-0" in finding.why


@pytest.mark.parametrize("events", [[], roles(), [role(500, "postgresql-0", "primary")]])
def test_without_a_leader_before_and_after_nothing_is_known(events: list[Event]) -> None:
    assert leader_stays.check(a_round([], events), 0).verdict == "unknown"


# steps_down, and failovers while a fault is held
HELD = [
    (100.0, "postgresql-0", ""),
    (3000.0, "postgresql-1", "primary"),
    (20_000.0, "postgresql-0", "primary"),
    (20_000.0, "postgresql-1", "primary"),
]


def held(*after: tuple[float, str, str]) -> Round:
    return a_round([], [*roles(*HELD, *after), reverted(15_000)])


def test_an_old_leader_that_wakes_steps_down_within_its_bound() -> None:
    recorded = held((21_000, "postgresql-0", ""), (23_000, "postgresql-0", "standby"))
    finding = steps_down.check(recorded, 6000)
    assert (finding.verdict, finding.measured) == ("pass", 6000)
    assert steps_down.check(recorded, 5999).verdict == "fail"
    assert failover.check(recorded, 1).measured == 2
    kept = failover.check(recorded, 1, returns=True)
    assert (kept.verdict, kept.measured) == ("pass", 1)


def test_an_old_leader_that_never_steps_down_is_named() -> None:
    finding = steps_down.check(held(), 60_000)
    assert finding.verdict == "fail"
    assert "postgresql-0 still says" in finding.why


def test_a_successor_that_gives_way_to_the_old_leader_is_a_second_change() -> None:
    gave_way = held((21_000, "postgresql-1", "standby"), (21_500, "postgresql-0", "primary"))
    finding = failover.check(gave_way, 1, returns=True)
    assert (finding.verdict, finding.measured) == ("fail", 2)


def test_a_third_leader_while_the_fault_is_held_is_a_second_change_too() -> None:
    third = held((21_000, "postgresql-0", "standby"), (22_000, "postgresql-2", "primary"))
    assert failover.check(third, 1, returns=True).measured == 2


def test_nobody_steps_down_who_was_not_replaced_and_silence_proves_nothing() -> None:
    alone = a_round([], [*roles((20_000, "postgresql-0", "primary")), reverted(15_000)])
    assert steps_down.check(alone, 0).verdict == "pass"
    unasked = a_round([], [*roles((3000, "postgresql-1", "primary")), reverted(15_000)])
    assert steps_down.check(unasked, 60_000).verdict == "unknown"
    assert steps_down.check(a_round([], roles(*HELD)), 60_000).verdict == "unknown"


# after_heal
def reverted(at_ms: float) -> Event:
    return Event(T0 + round(at_ms * MS), "fault", {"event": "reverted"})


def test_the_time_a_fault_was_held_does_not_count() -> None:
    recorded = a_round(around([("fail", 20), ("ok", 6)]), [reverted(15_000)])
    finding = after_heal.check(recorded, 6000, paths=["{store}/persistent"])
    assert (finding.verdict, finding.measured) == ("pass", 5002)
    assert after_heal.check(recorded, 5000, paths=[PATH]).verdict == "fail"


def test_a_path_that_was_back_before_needs_no_time() -> None:
    recorded = a_round(around([("fail", 5), ("ok", 20)]), [reverted(15_000)])
    assert after_heal.check(recorded, 0, paths=[PATH]).measured == 0


def test_a_fault_that_never_ended_or_a_path_that_never_came_back_keep_nothing() -> None:
    held = around([("fail", 20), ("ok", 6)])
    assert "reverted" in after_heal.check(a_round(held), 9000, paths=[PATH]).why
    never = after_heal.check(a_round(around([("fail", 30)]), [reverted(15_000)]), 9000, paths=[PATH])
    assert never.verdict == "fail"
    short = after_heal.check(a_round(around([("fail", 16), ("ok", 1)]), [reverted(15_000)]), 9000, paths=[PATH])
    assert short.verdict == "unknown"


# redundancy since heal
def test_redundancy_after_a_held_fault_counts_from_its_end() -> None:
    answers = [
        Event(T0 + 100 * MS, "redundant", {"component": "postgresql", "redundant": False, "why": "frozen"}),
        Event(T0 + 20 * SECOND, "redundant", {"component": "postgresql", "redundant": True, "why": ""}),
    ]
    recorded = a_round([], [reverted(15_000), *answers], redundant_ms=20_000.0)
    finding = redundancy.check(recorded, 6000, since="heal")
    assert (finding.verdict, finding.measured) == ("pass", 5000)
    assert redundancy.check(recorded, 6000).verdict == "fail"
    assert redundancy.check(a_round([], answers, redundant_ms=20_000.0), 6000, since="heal").verdict == "unknown"


# bounded_loss
COPIES = {"redis": 2}


def redis_round(lost_ms: list[float], **facts: Any) -> Round:
    """Set 2, written every 10 ms from 1.5 s before t0 to 6 s after; `lost_ms` (after t0) are writes that are gone."""
    operations = around([("ok", 6)], path="redis-2/persistent")
    gone = {op.id for op in operations if round((op.due - T0) / MS) in lost_ms}
    assert len(gone) == len(lost_ms)
    kept = [op.id for op in operations if op.id not in gone]
    reads = [
        FinalRead("redis-2", "redis-replica-1", "master", T0 + 9 * SECOND, kept),
        FinalRead("redis-2", "redis-master-1", "replica", T0 + 9 * SECOND, list(kept)),
    ]
    return a_round(operations, [], reads, **{**SETS, "selector": "redis/master@2", **facts})


def bounded(recorded: Round, side: Any, bound: float = 3000) -> Any:
    return bounded_loss.check(recorded, bound, stores="under-fault", copies=COPIES, side=side)


def test_loss_within_the_bound_is_counted_and_allowed() -> None:
    finding = bounded(redis_round([500, 510, 2500]), "after")
    assert (finding.verdict, finding.measured) == ("pass", 2502)
    assert finding.why.startswith("3 of ")
    assert bounded(redis_round([]), "after").measured == 0


def test_loss_beyond_the_bound_fails() -> None:
    finding = bounded(redis_round([3500]), "after")
    assert (finding.verdict, finding.measured) == ("fail", 3502)


def test_loss_on_the_wrong_side_of_the_fault_fails() -> None:
    assert bounded(redis_round([-500]), "after").verdict == "fail"
    assert bounded(redis_round([500]), "before").verdict == "fail"
    assert bounded(redis_round([-50]), "after").verdict == "pass"


def test_loss_before_a_power_cut_is_measured_backwards() -> None:
    finding = bounded(redis_round([-800, -20]), "before", 1000)
    assert (finding.verdict, finding.measured) == ("pass", 798)
    assert bounded(redis_round([-1200]), "before", 1000).verdict == "fail"


def test_phantoms_and_duplicates_are_never_allowed() -> None:
    recorded = redis_round([])
    recorded.final_reads[0].ids.append(recorded.final_reads[0].ids[0])
    assert bounded(recorded, "after").verdict == "fail"
    recorded = redis_round([])
    recorded.operations[200] = replace(recorded.operations[200], outcome="fail", reason="NOREPLICAS")
    finding = bounded(recorded, "after")
    assert finding.verdict == "fail"
    assert "phantom" in finding.why


def test_a_server_that_was_not_read_leaves_the_loss_unknown() -> None:
    recorded = redis_round([])
    recorded.final_reads.pop()
    assert bounded(recorded, "after").verdict == "unknown"
    recorded = redis_round([])
    recorded.problems["final_reads.jsonl"] = "final_reads.jsonl is missing"
    assert bounded(recorded, "after").verdict == "unknown"


# no_majority
VICTIMS = ["vault-1", "vault-2"]


def two_dead(operations: list[Operation], back_ms: float | None = 2000, **proof: Any) -> Round:
    entries = [{"instance": name, "gone_at": T0 + n * MS} for n, name in enumerate(VICTIMS)]
    away = [role(60, name, "", "vault") for name in VICTIMS]
    answers = [] if back_ms is None else [role(back_ms, "vault-2", "sealed", "vault")]
    recorded = a_round(operations, [*away, *answers], component="vault", selector="vault/any:2", victims=VICTIMS)
    [bite] = recorded.faults("bitten")
    bite.data["proof"] = {"victims": entries} | proof
    return recorded


def test_refused_writes_without_a_majority_are_right() -> None:
    finding = no_majority.check(two_dead(around([("fail", 5), ("ok", 5)], path="vault/persistent")), 0)
    assert (finding.verdict, finding.measured) == ("pass", 0)
    assert "without a majority" in finding.why


def test_one_acknowledgement_without_a_majority_is_one_too_many() -> None:
    operations = around([("fail", 5), ("ok", 5)], path="vault/persistent")
    n = next(n for n, op in enumerate(operations) if op.start > T0 + SECOND)
    operations[n] = replace(operations[n], outcome="ok", server="vault-0")
    finding = no_majority.check(two_dead(operations), 0)
    assert (finding.verdict, finding.measured) == ("fail", 1)
    assert operations[n].id in finding.why


def test_an_acknowledgement_once_a_victim_answers_again_is_allowed() -> None:
    assert no_majority.check(two_dead(around([("fail", 2), ("ok", 8)], path="vault/persistent")), 0).verdict == "pass"


@pytest.mark.parametrize("case", ["no-return", "no-proof", "too-short"])
def test_without_the_time_of_death_or_of_return_nothing_is_known(case: str) -> None:
    operations = around([("fail", 5), ("ok", 5)], path="vault/persistent")
    recorded = {
        "no-return": two_dead(operations, back_ms=None),
        "no-proof": two_dead(operations, victims=[{"instance": "vault-1", "gone_at": None}]),
        "too-short": two_dead(operations, back_ms=65),
    }[case]
    assert no_majority.check(recorded, 0).verdict == "unknown"


# two faults: leadership may go back
def ack(server: str, at_ms: float) -> Operation:
    at = T0 + round(at_ms * MS)
    return Operation("postgresql/fresh", "write", f"{server}@{at_ms:g}", at, at, at + MS, "ok", "", server)


def test_leadership_that_goes_back_after_a_second_fault_is_allowed_only_there() -> None:
    back = [ack("a", -10), ack("b", 4000), ack("a", 9000), ack("a", 9010)]
    assert single_leader.check(a_round(back), 0, may_return=True).verdict == "pass"
    assert single_leader.check(a_round(back), 0).verdict == "fail"


def test_two_leaders_in_turn_are_never_allowed() -> None:
    turns = [ack("a", -10), ack("b", 4000), ack("a", 5000), ack("b", 6000)]
    assert single_leader.check(a_round(turns), 0, may_return=True).verdict == "fail"


# who is under fault
@pytest.mark.parametrize(
    ("component", "selector", "store"),
    [
        ("pgpool", "pgpool/any", "postgresql"),
        ("sentinel", "sentinel/any:2", "redis-3"),
        ("redis", "redis/master@2", "redis-2"),
    ],
)
def test_a_component_without_data_is_judged_by_the_store_it_serves(component: str, selector: str, store: str) -> None:
    assert a_round([], component=component, selector=selector, set=3).store == store
