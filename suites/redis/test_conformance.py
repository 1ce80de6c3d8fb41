"""Redis, healthy: masters and replicas, persistence that brings data back, separation, refusal without a replica."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, ReadOnlyError, ResponseError

from chaosblink.components.redis import Redis, connection
from chaosblink.targets import Instance, Target, name_at
from chaosblink.waiting import until

DISTURBED = 3
"""The set that is taken away for a moment; identity's cache and the events live on set 1."""


def sets(target: Target) -> list[int]:
    """Numbers of the sets; without one nothing would be tested."""
    found = Redis(target).sets()
    assert found
    return found


def master_of(target: Target, number: int) -> Instance:
    """The one server of a set that says it is master."""
    masters = Redis(target).masters()[number]
    assert len(masters) == 1, f"set {number}: masters {[instance.name for instance in masters]}"
    return masters[0]


def information(target: Target, instance: Instance, section: str) -> dict[str, Any]:
    """INFO of one server."""
    with Redis(target).client(instance) as asked:
        answer: Any = asked.info(section)
    return dict(answer)


def configured(target: Target, instance: Instance, name: str) -> str:
    """One live setting of one server."""
    with Redis(target).client(instance) as asked:
        answer: Any = asked.config_get(name)
    return str(answer[name])


def test_there_are_three_sets_of_at_least_two_servers(target: Target) -> None:
    redis = Redis(target)
    sizes = {number: len(redis.members(number)) for number in sets(target)}
    assert len(sizes) >= 3, sizes
    assert min(sizes.values()) >= 2, sizes


def test_every_set_has_one_master_and_its_replicas_are_online(target: Target) -> None:
    for number in sets(target):
        master = master_of(target, number)
        replicas = {i.name for i in Redis(target).members(number) if i != master}
        state = information(target, master, "replication")
        online = {
            name_at(target.instances("redis"), state[f"slave{n}"]["ip"]) for n in range(state["connected_slaves"])
        }
        assert online == replicas, f"set {number}: {online} of {replicas} are attached"
        assert all(state[f"slave{n}"]["state"] == "online" for n in range(state["connected_slaves"])), state


def test_what_a_master_takes_its_replica_has(target: Target) -> None:
    for number in sets(target):
        key, value = f"conformance:{secrets.token_hex(4)}", secrets.token_hex(8)
        master = master_of(target, number)
        with Redis(target).client(master) as client:
            client.set(key, value, ex=60)
            assert client.execute_command("WAIT", 1, 2000) >= 1, f"set {number}"
        for replica in (i for i in Redis(target).members(number) if i != master):
            with Redis(target).client(replica) as client:
                assert client.get(key) == value, replica.name


def test_a_replica_refuses_to_write(target: Target) -> None:
    for number in sets(target):
        master = master_of(target, number)
        for replica in (i for i in Redis(target).members(number) if i != master):
            with Redis(target).client(replica) as client, pytest.raises(ReadOnlyError):
                client.set("conformance:on-a-replica", "x", ex=5)


def test_persistence_is_on_and_works_on_every_server(target: Target) -> None:
    for instance in target.instances("redis"):
        state = information(target, instance, "persistence")
        assert state["aof_enabled"] == 1, instance.name
        assert (state["aof_last_write_status"], state["aof_last_bgrewrite_status"]) == ("ok", "ok"), instance.name
        assert configured(target, instance, "appendfsync") in ("always", "everysec"), instance.name


def test_a_full_memory_is_an_error_and_never_an_eviction(target: Target) -> None:
    for instance in target.instances("redis"):
        assert configured(target, instance, "maxmemory-policy") == "noeviction", instance.name
        assert int(configured(target, instance, "maxmemory")) > 0, instance.name


def test_a_master_needs_a_replica_to_write(target: Target) -> None:
    """The live setting; that it refuses without one is tried in the test that takes a set away."""
    for instance in target.instances("redis"):
        assert int(configured(target, instance, "min-replicas-to-write")) >= 1, instance.name
        assert 1 <= int(configured(target, instance, "min-replicas-max-lag")) <= 5, instance.name


def test_a_logical_database_sees_nothing_of_another(target: Target) -> None:
    for number in sets(target):
        master, key = master_of(target, number), f"conformance:{secrets.token_hex(4)}"
        with Redis(target).client(master) as client:
            client.select(0)
            client.set(key, "zero", ex=60)
            for other in (1, 2, 15):
                client.select(other)
                assert client.get(key) is None, f"{master.name}: database {other} sees a key of database 0"
                client.set(key, str(other), ex=60)
            client.select(0)
            assert client.get(key) == "zero", f"{master.name}: a write in another database was seen in database 0"


def test_a_set_sees_nothing_of_another(target: Target) -> None:
    key = f"conformance:{secrets.token_hex(4)}"
    first, *others = sets(target)
    with Redis(target).client(master_of(target, first)) as client:
        client.set(key, "first", ex=60)
    for number in others:
        with Redis(target).client(master_of(target, number)) as client:
            assert client.get(key) is None, f"set {number} sees a key of set {first}"


def test_no_server_answers_without_the_right_password(target: Target) -> None:
    for instance in target.instances("redis"):
        for password in (None, "wrong"):
            with (
                pytest.raises(AuthenticationError),
                connection(instance.address, instance.port, password) as client,
            ):
                client.get("anything")


@pytest.mark.disturbs
@pytest.mark.only_on("local", "a kubelet restarts what ends, so a whole set cannot be kept down")
def test_a_set_without_replica_refuses_writes_and_comes_back_from_disk(target: Target) -> None:
    """Both servers of a set end, so what is there afterwards was on a disk: memory and the other's copy are gone."""
    redis, key, value = Redis(target), f"conformance:{secrets.token_hex(4)}", secrets.token_hex(8)
    master = master_of(target, DISTURBED)
    members = redis.members(DISTURBED)
    before = {instance.name: information(target, instance, "server")["run_id"] for instance in members}
    with redis.client(master) as client:
        client.set(key, value)
        assert client.execute_command("WAIT", 1, 2000) >= 1
    try:
        for replica in (instance for instance in members if instance != master):
            target.stop(replica)
        until(lambda: _refuses(target, master), 10, "the master without a replica refuses writes", every=0.1)
        target.stop(master)
    finally:
        for instance in members:
            target.start(instance)
        until(lambda: redis.redundant().ok, 60, "every set is complete again", every=0.3)
    after = {instance.name: information(target, instance, "server")["run_id"] for instance in members}
    assert all(after[name] != before[name] for name in before), "a server was not restarted"
    with redis.client(master_of(target, DISTURBED)) as client:
        assert client.get(key) == value
        client.delete(key)


def _refuses(target: Target, master: Instance) -> bool:
    with Redis(target).client(master) as client:
        try:
            client.set("conformance:unwatched", "x", ex=5)
        except ResponseError as error:
            return "NOREPLICAS" in str(error) or type(error).__name__ == "NoReplicasError"
    return False
