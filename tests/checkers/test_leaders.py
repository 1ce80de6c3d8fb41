"""One leader acknowledges at a time, and one fault causes one leader change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaosblink.checkers import failover as failover_checker
from chaosblink.checkers import single_leader
from chaosblink.checkers.failover import failover
from chaosblink.checkers.single_leader import overlaps
from chaosblink.history import Event, Operation
from tests.synthetic_history import T0, a_round, role
from tests.synthetic_scenarios import MS


def ack(server: str, start_ms: float, end_ms: float) -> Operation:
    start, end = T0 + round(start_ms * MS), T0 + round(end_ms * MS)
    return Operation("postgresql/fresh", "write", f"{server}@{start_ms:g}", start, start, end, "ok", "", server)


ORDERLY = [ack("old", -20, -18), ack("old", -10, 3), ack("new", 4000, 4005), ack("new", 4010, 4012)]


def test_one_leader_after_the_other_is_fine() -> None:
    assert overlaps(ORDERLY) == []
    finding = single_leader.check(a_round(ORDERLY), 0)
    assert finding.verdict == "pass"
    assert "in turn by old, new" in finding.why


def test_an_acknowledgement_of_the_old_leader_after_the_new_ones_first_is_reported() -> None:
    finding = single_leader.check(a_round([*ORDERLY, ack("old", 4006, 4009)]), 0)
    assert (finding.verdict, finding.measured) == ("fail", 1)
    assert "old acknowledged 1 operations" in finding.why
    assert "old@4006" in finding.why
    assert "while both acknowledged" in finding.why


def test_overlapping_brackets_prove_nothing() -> None:
    # It was sent before the new leader's first acknowledgement came back: which effect was first cannot be told.
    assert overlaps([*ORDERLY, ack("old", 4004, 4009)]) == []


def test_a_leadership_that_went_back_is_reported_as_such() -> None:
    [found] = overlaps([*ORDERLY, ack("old", 9000, 9002)])
    assert not found.interleaved


def test_acknowledgements_that_name_no_server_are_unknown() -> None:
    nameless = [replace(op, server="") for op in ORDERLY]
    finding = single_leader.check(a_round([*ORDERLY, *nameless]), 0)
    assert finding.verdict == "unknown"
    assert "4 of 8" in finding.why


def test_nothing_acknowledged_is_unknown() -> None:
    assert single_leader.check(a_round([replace(op, outcome="fail") for op in ORDERLY]), 0).verdict == "unknown"


BEFORE = [role(-900, "postgresql-0", "primary"), role(-900, "postgresql-1", "standby")]
FAILED_OVER = [
    *BEFORE,
    role(40, "postgresql-0", ""),
    role(3000, "postgresql-1", "primary"),
    role(3500, "postgresql-1", ""),
    role(4000, "postgresql-1", "primary"),
    role(9000, "postgresql-0", "standby"),
]


def test_a_failover_is_told_with_the_time_of_the_new_leader() -> None:
    found = failover(FAILED_OVER, T0)
    assert (found.kind, found.promotions, found.new_leader) == ("failed over", ["postgresql-1"], "postgresql-1")
    assert found.new_leader_ms == 2998.0


def test_an_old_leader_that_resumes_restarted_in_place() -> None:
    found = failover([*BEFORE, role(40, "postgresql-0", ""), role(900, "postgresql-0", "primary")], T0)
    assert (found.kind, found.promotions) == ("restarted in place", ["postgresql-0"])


def test_a_restart_too_fast_to_be_seen_is_a_restart_in_place() -> None:
    assert failover([*BEFORE, role(50, "postgresql-0", "primary")], T0).kind == "restarted in place"


def test_an_old_leader_that_resumes_before_another_is_promoted_makes_two_changes() -> None:
    resumed = [*BEFORE, role(40, "postgresql-0", ""), role(900, "postgresql-0", "primary")]
    finding = failover_checker.check(a_round([], [*resumed, role(4000, "postgresql-1", "primary")]), 1)
    assert (finding.verdict, finding.measured) == ("fail", 2)
    assert "postgresql-0 then postgresql-1" in finding.why


def test_an_old_leader_that_comes_back_as_leader_beside_the_new_one_is_a_second_change() -> None:
    found = failover([*FAILED_OVER[:-1], role(9000, "postgresql-0", "primary")], T0)
    assert found.kind == "several failovers"


def test_a_third_leader_is_a_second_failover() -> None:
    found = failover([*FAILED_OVER, role(12_000, "postgresql-2", "primary")], T0)
    assert found.promotions == ["postgresql-1", "postgresql-2"]


@pytest.mark.parametrize("roles", [[], BEFORE, [role(3000, "postgresql-1", "primary")]])
def test_roles_that_name_no_leader_before_or_after_are_unknown(roles: list[Event]) -> None:
    assert failover_checker.check(a_round([], roles), 1).verdict == "unknown"


def test_other_redis_sets_and_components_do_not_count() -> None:
    roles = [
        role(-900, "redis-master-1", "master", "redis"),
        role(40, "redis-master-1", "", "redis"),
        role(2000, "redis-replica-1", "master", "redis"),
        role(2000, "redis-replica-2", "master", "redis"),
        role(2000, "postgresql-1", "primary"),
    ]
    finding = failover_checker.check(a_round([], roles, component="redis", selector="redis/master@2"), 1)
    assert finding.verdict == "pass"
    assert "redis-replica-1 led after 1998 ms" in finding.why
