"""Redis and Sentinel, asked of real servers: roles, redundancy, selectors and the bound."""

from __future__ import annotations

import pytest
from process_target import ProcessTarget

from chaosblink.components import of
from chaosblink.faults import FaultError, undo
from chaosblink.faults.effect import snapshot
from chaosblink.faults.pause import Pause
from chaosblink.selectors import SelectorError, resolve
from chaosblink.targets import PlatformError
from chaosblink.waiting import until


def test_each_server_says_its_role(redis_set: ProcessTarget) -> None:
    redis = of(redis_set, "redis")
    assert {i.name: redis.role(i) for i in redis.instances()} == {
        "redis-master-0": "master",
        "redis-replica-0": "replica",
    }


def test_a_complete_set_the_sentinels_agree_on_is_redundant(redis_set: ProcessTarget) -> None:
    until(lambda: of(redis_set, "redis").redundant().ok, 20, "redis is redundant")
    until(lambda: of(redis_set, "sentinel").redundant().ok, 20, "sentinel is redundant")


def test_a_selector_finds_who_has_the_role_now(redis_set: ProcessTarget) -> None:
    assert [i.name for i in resolve(redis_set, "redis/master@1")] == ["redis-master-0"]
    assert [i.name for i in resolve(redis_set, "redis/replica")] == ["redis-replica-0"]
    assert len(resolve(redis_set, "sentinel/*")) == 3


def test_any_is_drawn_by_the_seed(redis_set: ProcessTarget) -> None:
    drawn = [resolve(redis_set, "sentinel/any", seed)[0].name for seed in range(20)]
    assert drawn == [resolve(redis_set, "sentinel/any", seed)[0].name for seed in range(20)]
    assert len(set(drawn)) == 3


def test_as_many_are_drawn_as_the_selector_says(redis_set: ProcessTarget) -> None:
    drawn = [[instance.name for instance in resolve(redis_set, "sentinel/any:2", seed)] for seed in range(20)]
    assert {len(set(two)) for two in drawn} == {2}
    assert len({tuple(two) for two in drawn}) == 3
    assert all(two == sorted(two) for two in drawn)


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("sentinel/any:4", "there are only 3"),
        ("redis/master@2", "no set 2"),
        ("sentinel/any@1", "only redis has sets"),
        ("redis/leader", "redis-master-0 master, redis-replica-0 replica"),
        ("redis", "no selector"),
        ("kafka/any", "no component is called"),
        ("vault/any", "names nothing"),
    ],
)
def test_a_selector_that_names_nothing_says_what_there_is(redis_set: ProcessTarget, selector: str, why: str) -> None:
    with pytest.raises(PlatformError, match=why):
        resolve(redis_set, selector)


def test_two_masters_of_a_set_are_no_victim(redis_set: ProcessTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaosblink.components.redis.Redis.role", lambda *_: "master")
    with pytest.raises(SelectorError, match="both say"):
        resolve(redis_set, "redis/master@1")


def test_the_bound_comes_from_the_live_settings(redis_set: ProcessTarget) -> None:
    bound = of(redis_set, "redis").bound()
    assert bound.inputs["down_after_ms"] == 2000
    assert bound.inputs["a_lost_election_adds_ms"] == 6000
    assert bound.ms == 2000 + 500 + 1000 + 2000


def test_versions_are_asked_of_the_servers(redis_set: ProcessTarget) -> None:
    assert of(redis_set, "redis").version() == of(redis_set, "sentinel").version() != ""


def test_a_paused_replica_is_no_answer_and_no_redundancy(redis_set: ProcessTarget) -> None:
    redis, pause = of(redis_set, "redis"), Pause(redis_set)
    effect = pause.inject([snapshot(redis_set, redis_set.named("redis-replica-0"))])
    try:
        assert redis.role(redis_set.named("redis-replica-0")) == ""
        answer = redis.redundant()
        assert not answer.ok
        assert "set 1" in answer.why
    finally:
        pause.revert(effect)
    until(lambda: redis.redundant().ok, 20, "redis is redundant")
    assert undo.residue(redis_set) == []


def test_a_silent_sentinel_makes_the_bound_unknown(redis_set: ProcessTarget) -> None:
    redis_set.stop(redis_set.named("sentinel-2"))
    with pytest.raises(PlatformError, match="sentinel-2 did not tell"):
        of(redis_set, "redis").bound()
    assert "sentinel-2" in of(redis_set, "sentinel").redundant().why
    with pytest.raises(FaultError, match="already down"):
        snapshot(redis_set, redis_set.named("sentinel-2"))
    redis_set.start(redis_set.named("sentinel-2"))
