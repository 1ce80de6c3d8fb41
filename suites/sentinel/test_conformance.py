"""Sentinel, healthy: all know each other and agree on every set's master, and a majority could replace it."""

from __future__ import annotations

from typing import Any

from chaosblink.components.redis import Redis
from chaosblink.components.sentinel import Sentinel
from chaosblink.targets import Instance, Target, name_at

DOWN = {"s_down", "o_down", "disconnected"}


def sets(target: Target) -> list[str]:
    """The sets by the name the Sentinels have for them."""
    return [f"set-{number}" for number in Redis(target).sets()]


def asked(target: Target, instance: Instance, *words: str) -> list[Any]:
    """One SENTINEL command's raw answer, each entry as a dictionary where it is one."""
    with Sentinel(target).client(instance) as client:
        client.response_callbacks.clear()
        answer = list(client.execute_command("SENTINEL", *words))
    return [dict(zip(entry[::2], entry[1::2], strict=True)) if isinstance(entry, list) else entry for entry in answer]


def runid(target: Target, instance: Instance) -> str:
    """What a Sentinel is known by."""
    with Sentinel(target).client(instance) as client:
        return str(client.execute_command("SENTINEL", "MYID"))


def test_there_are_at_least_three(target: Target) -> None:
    assert len(target.instances("sentinel")) >= 3


def test_every_sentinel_watches_every_set(target: Target) -> None:
    for instance in target.instances("sentinel"):
        assert set(Sentinel(target).masters(instance)) == set(sets(target)), instance.name


def test_sentinels_know_each_other(target: Target) -> None:
    known = {instance.name: runid(target, instance) for instance in target.instances("sentinel")}
    assert len(set(known.values())) == len(known), "two Sentinels have the same identity"
    for instance in target.instances("sentinel"):
        others = {identity for name, identity in known.items() if name != instance.name}
        for name in sets(target):
            seen = {other["runid"] for other in asked(target, instance, "SENTINELS", name)}
            assert seen == others, f"{instance.name}, {name}"


def test_sentinels_agree_with_each_other_and_with_the_master_itself(target: Target) -> None:
    real = {f"set-{n}": [i.name for i in masters] for n, masters in Redis(target).masters().items()}
    for instance in target.instances("sentinel"):
        masters = Sentinel(target).masters(instance)
        seen = {name: [name_at(target.instances("redis"), master["ip"])] for name, master in masters.items()}
        assert seen == real, instance.name


def test_sentinels_call_nothing_down(target: Target) -> None:
    for instance in target.instances("sentinel"):
        for name in sets(target):
            everyone = [
                *asked(target, instance, "MASTERS"),
                *asked(target, instance, "REPLICAS", name),
                *asked(target, instance, "SENTINELS", name),
            ]
            down = [(one["name"], one["flags"]) for one in everyone if DOWN & set(one["flags"].split(","))]
            assert down == [], f"{instance.name}, {name}"


def test_sentinels_know_the_replicas_of_every_set(target: Target) -> None:
    redis = Redis(target)
    for instance in target.instances("sentinel"):
        for number in redis.sets():
            masters = redis.masters()[number]
            replicas = {i.name for i in redis.members(number) if i not in masters}
            seen = {
                name_at(target.instances("redis"), one["ip"])
                for one in asked(target, instance, "REPLICAS", f"set-{number}")
            }
            assert seen == replicas, instance.name


def test_a_majority_is_needed_and_there_is_one(target: Target) -> None:
    majority = len(target.instances("sentinel")) // 2 + 1
    for instance in target.instances("sentinel"):
        for name, master in Sentinel(target).masters(instance).items():
            assert int(master["quorum"]) == majority, f"{instance.name}, {name}: quorum {master['quorum']}"
            with Sentinel(target).client(instance) as client:
                assert str(client.execute_command("SENTINEL", "CKQUORUM", name)).startswith(("OK", "True")), name
