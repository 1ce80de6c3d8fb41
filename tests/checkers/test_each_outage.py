"""A rolling restart: every time away is held against the bound by itself."""

from __future__ import annotations

from chaosblink.checkers import each_outage, outage
from tests.synthetic_history import a_round, around

PATH = "postgresql/persistent"


def test_many_short_times_pass_where_one_long_sum_would_not() -> None:
    recorded = a_round(around([("fail", 1), ("ok", 4), ("fail", 1), ("ok", 4), ("fail", 1), ("ok", 5)]))
    found = each_outage.check(recorded, 1500, paths=[PATH])
    assert (found.verdict, found.measured) == ("pass", 1002.0)
    assert "3 times" in found.why
    assert outage.check(recorded, 1500, paths=[PATH]).verdict == "fail"


def test_one_time_above_the_bound_fails_wherever_it_comes() -> None:
    recorded = a_round(around([("fail", 1), ("ok", 4), ("fail", 2), ("ok", 5)]))
    found = each_outage.check(recorded, 1500, paths=[PATH])
    assert found.verdict == "fail"
    assert "at a time" in found.why


def test_a_path_that_never_came_back_is_not_passed() -> None:
    recorded = a_round(around([("ok", 4), ("fail", 1)]))
    assert each_outage.check(recorded, 1500, paths=[PATH]).verdict == "unknown"
    assert each_outage.check(a_round(around([("ok", 4), ("fail", 2)])), 1500, paths=[PATH]).verdict == "fail"


def test_a_path_nobody_watched_is_unknown() -> None:
    assert each_outage.check(a_round(around([("ok", 5)])), 1500, paths=["vault/fresh"]).verdict == "unknown"
