"""The relay on real servers: nothing lost, nothing out of order, one active, and what it does when things go wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from eventrelay import metrics
from eventrelay.element import unpack
from eventrelay.lists import CURSOR, LEASE, key_of
from eventrelay.relay import Relay
from eventrelay.source import Cursor, SourceError
from redis.exceptions import RedisError
from relay_servers import Postgres, Redis, tell, until

Make = Callable[..., Relay]


def sent(redis: Redis, queue: str = "high") -> list[str]:
    """Aggregate ids in the order of a list."""
    elements: list[bytes] = redis.client().lrange(key_of(queue), 0, -1)
    return [event.aggregate_id for element in elements for event in unpack(element)]


def turns(relay: Relay, count: int = 3) -> None:
    for _ in range(count):
        relay.turn()


def test_events_go_to_their_lists_in_order_and_without_payload(
    postgres: Postgres, redis: Redis, make_relay: Make
) -> None:
    with postgres.connect() as connection:
        tell(connection, ["a", "b"])
        tell(connection, ["c"], "user.human.added")
        tell(connection, ["d"], "session.token.set")
        tell(connection, ["e"])
    turns(make_relay())
    assert [sent(redis, queue) for queue in ("high", "normal", "low")] == [["a", "b", "e"], ["c"], ["d"]]
    [event] = unpack(redis.client().lindex(key_of("normal"), 0))
    assert (event.name, event.type, event.id) == ("user.created", "user.human.added", "i/user/c/1")
    assert "stays here" not in str(event)


def test_what_commits_late_is_waited_for(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    relay = make_relay()
    with postgres.connect() as late, postgres.connect() as early:
        with late.transaction():
            tell(late, ["late"])
            tell(early, ["early"])
            turns(relay)
            assert sent(redis) == []
        turns(relay)
    assert sent(redis) == ["late", "early"]


def test_events_of_the_same_moment_are_not_lost_between_two_batches(
    postgres: Postgres, redis: Redis, make_relay: Make
) -> None:
    with postgres.connect() as connection:
        for name in ("a", "b", "c"):
            tell(connection, [name], at=1_000_000)
        tell(connection, ["d"], at=1_000_001)
    turns(make_relay(batch_size=2))
    assert sent(redis) == ["a", "b", "c", "d"]
    assert redis.client().llen(key_of("high")) == 3


def test_a_batch_waits_until_it_is_full_or_old_enough(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    relay = make_relay(batch_size=3, batch_ms=60_000)
    with postgres.connect() as connection:
        tell(connection, ["a", "b"])
        turns(relay)
        assert sent(redis) == []
        tell(connection, ["c"])
        turns(relay)
    assert sent(redis) == ["a", "b", "c"]
    with postgres.connect() as connection:
        tell(connection, ["d"])
    relay = make_relay("eventrelay-0", batch_size=3, batch_ms=300)
    turns(relay)
    assert sent(redis)[3:] == []
    until(lambda: relay.turn() and sent(redis)[3:] == ["d"], 2, "the batch is old enough")


def test_only_one_is_active_and_the_other_takes_over(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    first, second = make_relay("eventrelay-0"), make_relay("eventrelay-1")
    turns(first)
    assert 0 < second.turn() <= 0.05
    assert (first._status.role, second._status.role) == ("active", "standby")
    with postgres.connect() as connection:
        tell(connection, ["a"])
    began = time.monotonic()
    until(lambda: (second.turn(), sent(redis) == ["a"])[1], 3, "the standby takes over")
    assert 0.2 < time.monotonic() - began < 1.5
    assert second._status.role == "active"


def test_a_relay_that_stands_by_again_tells_no_lag(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    first, second = make_relay("eventrelay-0", batch_ms=60_000), make_relay("eventrelay-1", batch_ms=60_000)
    with postgres.connect() as connection:
        tell(connection, ["a"])
    turns(first)
    assert metrics.LAG._value.get() > 0, "the event waits for its batch"
    redis.client().delete(LEASE)
    turns(second)
    until(lambda: (first.turn(), first._status.role == "standby")[1], 3, "the first stands by")
    assert (metrics.LAG._value.get(), metrics.HELD_BACK._value.get()) == (0, 0)


def test_a_relay_that_ends_in_order_hands_over_at_once(redis: Redis, make_relay: Make) -> None:
    relay, stopping = make_relay(lease_ms=60_000), threading.Event()
    running = threading.Thread(target=relay.run, args=(stopping,))
    running.start()
    until(lambda: redis.client().exists(LEASE), 5, "the lease is taken")
    stopping.set()
    running.join(5)
    assert not redis.client().exists(LEASE)


def test_a_thawed_relay_appends_nothing_a_second_time(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    frozen, second = make_relay("eventrelay-0", lease_ms=60_000), make_relay("eventrelay-1")
    with postgres.connect() as connection:
        tell(connection, ["a"])
        turns(frozen)
        redis.client().delete(LEASE)  # it expired while the first was frozen
        tell(connection, ["b"])
        turns(second)
        tell(connection, ["c"])
        frozen.turn()  # believes in its lease and its cursor
        assert sent(redis) == ["a", "b"]
        turns(second)
    assert sent(redis) == ["a", "b", "c"]


def test_what_redis_forgets_is_sent_again(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    relay, client = make_relay(), redis.client()
    with postgres.connect() as connection:
        tell(connection, ["a"])
        turns(relay)
        cursor = client.get(CURSOR)
        tell(connection, ["b"])
        turns(relay)
        client.rpop(key_of("high"))
        client.set(CURSOR, cursor)  # the failover that forgot the push of b
        tell(connection, ["c"])
        turns(relay)
    assert sent(redis) == ["a", "b", "c"]


def test_a_new_primary_whose_clock_is_behind_loses_nothing(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    relay, client = make_relay(), redis.client()
    now = time.time()
    with postgres.connect() as connection:
        tell(connection, ["a"])
        turns(relay)
        stored = Cursor.parse(client.get(CURSOR).decode())
        client.set(CURSOR, str(Cursor(stored.timeline - 1, stored.position, stored.order)))  # of the old primary
        tell(connection, ["behind"], at=now - 3)
        turns(make_relay(), 4)
    assert sent(redis) == ["a", "behind", "a"]


def test_a_clock_that_goes_back_on_the_same_server_loses_nothing(
    postgres: Postgres, redis: Redis, make_relay: Make
) -> None:
    with postgres.connect() as connection:
        tell(connection, ["a"], at=time.time() - 1)
        turns(make_relay())
        stored = Cursor.parse(redis.client().get(CURSOR).decode())
        redis.client().set(CURSOR, str(Cursor(stored.timeline, stored.position + 60, 1)))  # written before it went back
        tell(connection, ["b"])
        turns(make_relay(), 4)
    assert set(sent(redis)) == {"a", "b"}


def test_an_old_primary_is_not_read(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    redis.client().set(CURSOR, "99/1000/1")
    with postgres.connect() as connection:
        tell(connection, ["a"])
    with pytest.raises(SourceError, match="timeline"):
        make_relay().turn()
    assert sent(redis) == []


def test_a_full_list_waits_for_a_consumer(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    relay = make_relay(deepest=2, batch_size=1)
    with postgres.connect() as connection:
        for name in "abcd":
            tell(connection, [name])
    turns(relay, 6)
    assert sent(redis) == ["a", "b"]
    assert relay.turn() > 0, "it must not spin while the list is full"
    redis.client().lpop(key_of("high"))
    turns(relay, 2)
    assert sent(redis) == ["b", "c"]


def test_a_set_without_its_replica_is_tried_again_until_it_writes(
    postgres: Postgres, redis: Redis, make_relay: Make
) -> None:
    relay, client, stopping = make_relay(), redis.client(), threading.Event()
    client.config_set("min-replicas-to-write", 1)
    with pytest.raises(RedisError, match="NOREPLICAS"):
        relay.turn()
    running = threading.Thread(target=relay.run, args=(stopping,))
    running.start()
    try:
        with postgres.connect() as connection:
            tell(connection, ["a"])
        until(lambda: "NOREPLICAS" in relay._status.trouble, 5, "the refusal is seen")
        client.config_set("min-replicas-to-write", 0)
        until(lambda: sent(redis) == ["a"], 5, "it is sent")
    finally:
        stopping.set()
        running.join(5)


def test_a_lost_database_session_is_dialled_anew(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    relay, stopping = make_relay(), threading.Event()
    running = threading.Thread(target=relay.run, args=(stopping,))
    running.start()
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'eventrelay/%'"
    try:
        until(lambda: postgres.rows(ended) != [(0,)], 5, "a session to end")
        with postgres.connect() as connection:
            tell(connection, ["a"])
        until(lambda: sent(redis) == ["a"], 5, "it is sent over a new session")
    finally:
        stopping.set()
        running.join(5)


def test_concurrent_writers_lose_nothing(postgres: Postgres, redis: Redis, make_relay: Make) -> None:
    """Four writers whose transactions stay open for differing times, while the relay reads as fast as it can."""

    def write(writer: int) -> None:
        with postgres.connect() as connection:
            for number in range(40):
                with connection.transaction():
                    tell(connection, [f"{writer}-{number}"])
                    connection.execute("SELECT pg_sleep(%s)", ((number * 7 + writer) % 5 / 1000,))

    relay, stopping = make_relay(), threading.Event()
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    running = threading.Thread(target=relay.run, args=(stopping,))
    for thread in (running, *writers):
        thread.start()
    for thread in writers:
        thread.join(30)
    try:
        until(lambda: len(sent(redis)) >= 160, 10, "everything is sent")
    finally:
        stopping.set()
        running.join(5)
    order = 'SELECT aggregate_id FROM eventstore.events2 ORDER BY "position", in_tx_order, aggregate_id'
    assert sent(redis) == [row[0] for row in postgres.rows(order)]
