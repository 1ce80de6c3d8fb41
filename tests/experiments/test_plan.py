"""The plan: one seed decides it, and leaving something out changes nothing else."""

from __future__ import annotations

import pytest

from chaosblink.experiments import plan
from chaosblink.targets import PlatformError

ALL = sorted(plan.known())


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan.make(ALL, 20, seed=7) == plan.make(list(reversed(ALL)), 20, seed=7)


def test_another_seed_gives_another_plan() -> None:
    assert plan.make(ALL, 3, seed=7) != plan.make(ALL, 3, seed=8)


def test_a_round_is_the_same_whatever_else_is_planned() -> None:
    whole = {(p.experiment, p.round): p for p in plan.make(ALL, 20, seed=7)}
    [alone] = plan.make(["redis-master-kill"], 3, seed=7, only_round=13)
    assert alone == whole["redis-master-kill", 13]


def test_every_redis_set_has_its_turn() -> None:
    assert {p.set for p in plan.make(["redis-master-kill"], 3, seed=7)} == {1, 2, 3}


def test_an_unknown_experiment_names_the_known_ones() -> None:
    with pytest.raises(PlatformError, match="vault-leader-kill"):
        plan.load("no-such-kill")
