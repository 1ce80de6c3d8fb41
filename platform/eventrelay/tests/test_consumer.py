"""Consumers on real servers: each event once and in order, wherever a consumer dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from eventrelay import inbox
from eventrelay.connect import Connection
from eventrelay.consumer import Consumer, Event, processing, unreadable
from eventrelay.delivery import Delivery, forget, prepare, writing
from eventrelay.lists import key_of
from eventrelay.relay import Relay
from relay_servers import Postgres, Redis, tell, until

IN_ORDER = "SELECT aggregate_id FROM events_delivered ORDER BY serial"
TIMES = "SELECT id, times FROM eventrelay_inbox ORDER BY id"


class Died(Exception):
    """Stands for SIGKILL at one exact point."""


@pytest.fixture
def three_batches(postgres: Postgres, make_relay: Callable[..., Relay]) -> None:
    relay = make_relay(batch_size=2)
    with postgres.connect() as connection:
        for pair in (["a", "b"], ["c", "d"], ["e", "f"]):
            tell(connection, pair)
    for _ in range(4):
        relay.turn()


def delivered(postgres: Postgres) -> list[str]:
    return [row[0] for row in postgres.rows(IN_ORDER)]


def empty(redis: Redis) -> bool:
    client = redis.client()
    return not client.llen(key_of("high")) and not client.llen(processing("high"))


def finish(delivery: Delivery, turns: int = 6) -> None:
    for _ in range(turns):
        delivery.turn()


@pytest.mark.usefixtures("three_batches")
def test_everything_arrives_once_and_in_order(
    postgres: Postgres, redis: Redis, make_delivery: Callable[..., Delivery]
) -> None:
    finish(make_delivery())
    assert delivered(postgres) == list("abcdef")
    assert empty(redis)


@pytest.mark.usefixtures("three_batches")
def test_a_consumer_that_dies_before_its_commit_does_the_work_again(
    postgres: Postgres, redis: Redis, make_delivery: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(queue: str) -> inbox.Work:
        def work(connection: Connection, events: Sequence[Event]) -> None:
            writing(queue)(connection, events)
            raise Died

        return work

    with monkeypatch.context() as patched:
        patched.setattr("eventrelay.delivery.writing", dying)
        with pytest.raises(Died):
            make_delivery().turn()
    assert redis.client().llen(processing("high")) == 1
    assert delivered(postgres) == []
    finish(make_delivery())
    assert delivered(postgres) == list("abcdef")
    assert {times for _, times in postgres.rows(TIMES)} == {1}


@pytest.mark.usefixtures("three_batches")
def test_a_consumer_that_dies_after_its_commit_leaves_duplicates_that_are_removed(
    postgres: Postgres, redis: Redis, make_delivery: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(_consumer: Consumer, _taken: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Consumer, "done", dying)
        with pytest.raises(Died):
            make_delivery().turn()
    assert delivered(postgres) == ["a", "b"]
    finish(make_delivery())
    assert delivered(postgres) == list("abcdef")
    assert [times for _, times in postgres.rows(TIMES)] == [2, 2, 1, 1, 1, 1]
    assert empty(redis)


@pytest.mark.usefixtures("three_batches")
def test_another_consumer_takes_over_with_the_element_in_hand(
    postgres: Postgres, redis: Redis, make_delivery: Callable[..., Delivery]
) -> None:
    prepare(postgres.connect())
    dead = Consumer(redis.client(), "eventconsumer-0", 300)
    assert dead.take() is not None
    other = make_delivery("eventconsumer-1")
    other.turn()
    assert delivered(postgres) == [], "the first one's lease still runs"
    began = time.monotonic()
    until(lambda: (other.turn(), len(delivered(postgres)) == 6)[1], 3, "the other takes over")
    assert time.monotonic() - began > 0.1
    assert delivered(postgres) == list("abcdef")


@pytest.mark.usefixtures("three_batches")
def test_a_thawed_consumer_neither_takes_nor_delivers_anything_twice(
    postgres: Postgres, redis: Redis, make_delivery: Callable[..., Delivery]
) -> None:
    frozen = Consumer(redis.client(), "eventconsumer-0", 50)
    taken = frozen.take()
    assert taken is not None
    other = make_delivery("eventconsumer-1", lease_ms=60_000)
    until(lambda: (other.turn(), len(delivered(postgres)) == 6)[1], 3, "the other takes over")
    assert frozen.take() is None
    with postgres.connect() as connection:
        assert inbox.deliver(connection, taken.events(), writing("high")) == []
    frozen.done(taken)
    assert delivered(postgres) == list("abcdef")


@pytest.mark.usefixtures("three_batches")
def test_earlier_classes_come_first(
    postgres: Postgres, redis: Redis, make_relay: Callable[..., Relay], make_delivery: Callable[..., Delivery]
) -> None:
    redis.client().delete(key_of("high"))
    with postgres.connect() as connection:
        tell(connection, ["l"], "session.token.set")
        tell(connection, ["n"], "user.human.added")
        tell(connection, ["h"])
    relay = make_relay()
    relay.turn()
    relay.turn()
    finish(make_delivery())
    assert delivered(postgres) == ["h", "n", "l"]


def test_what_is_no_batch_is_put_aside_and_stops_nothing(
    postgres: Postgres, redis: Redis, make_relay: Callable[..., Relay], make_delivery: Callable[..., Delivery]
) -> None:
    redis.client().rpush(key_of("high"), b"not a batch")
    with postgres.connect() as connection:
        tell(connection, ["a"])
    make_relay().turn()
    finish(make_delivery())
    assert delivered(postgres) == ["a"]
    assert redis.client().lrange(unreadable("high"), 0, -1) == [b"not a batch"]


@pytest.mark.usefixtures("three_batches")
def test_old_ids_are_forgotten_and_young_ones_kept(postgres: Postgres, make_delivery: Callable[..., Delivery]) -> None:
    finish(make_delivery())
    with postgres.connect() as connection:
        forget(connection, 3600)
        assert len(delivered(postgres)) == 6
        connection.execute(
            "UPDATE eventrelay_inbox SET arrived_at = now() - interval '2 hours' WHERE id = 'i/user/a/1'"
        )
        forget(connection, 3600)
    assert len(postgres.rows(TIMES)) == 5
