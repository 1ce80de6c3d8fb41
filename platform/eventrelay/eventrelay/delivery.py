"""A consumer that writes every event into a table of its own database, once and in order: the platform's own, and the
example for others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import psycopg
from redis.exceptions import RedisError

from eventrelay import inbox, metrics
from eventrelay.connect import Connection
from eventrelay.consumer import Consumer, ElementError, Event, Taken
from eventrelay.status import Status

log = logging.getLogger("eventrelay")

AGAIN_AFTER_S = 0.25
KEPT_S = 7 * 24 * 3600.0
FORGET_EVERY_S = 3600.0

# No unique constraint: what is worked on twice must be seen twice.
TABLE = """
CREATE TABLE IF NOT EXISTS events_delivered (
    serial BIGSERIAL PRIMARY KEY, queue TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    aggregate_id TEXT NOT NULL, "position" NUMERIC NOT NULL, delivered_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS events_delivered_aggregate ON events_delivered (aggregate_id);
CREATE INDEX IF NOT EXISTS events_delivered_position ON events_delivered ("position");
"""
_WRITE = """
INSERT INTO events_delivered (queue, id, name, aggregate_id, "position")
SELECT %(queue)s, id, name, aggregate_id, "position"
FROM unnest(%(ids)s::text[], %(names)s::text[], %(aggregates)s::text[], %(positions)s::numeric[]) WITH ORDINALITY
AS told (id, name, aggregate_id, "position", place) ORDER BY place
"""
_FORGET = "DELETE FROM events_delivered WHERE delivered_at < now() - make_interval(secs => %s)"


class Delivery:
    """Turn by turn: take an element, write its new events, remove it. A crash anywhere repeats at most one element."""

    def __init__(self, consumer: Consumer, connect: Callable[[], Connection], status: Status) -> None:
        self._consumer, self._connect, self._status = consumer, connect, status
        self._connection: Connection | None = None
        self._forgot_at = time.monotonic()

    def run(self, stopping: threading.Event) -> None:
        """Until `stopping` is set; an element in hand stays in its processing list for whoever comes next."""
        while not stopping.is_set():
            stopping.wait(self._guarded_turn())

    def turn(self) -> float:
        """One element, or none; seconds until the next turn is due."""
        connection = self._live()
        taken = self._consumer.take()
        if taken:
            self._work(connection, taken)
        elif time.monotonic() - self._forgot_at > FORGET_EVERY_S:
            forget(connection, KEPT_S)
            self._forgot_at = time.monotonic()
        self._status.good("consumer")
        return 0.0 if taken else self._status.settings.poll_ms / 1000

    def _work(self, connection: Connection, taken: Taken) -> None:
        try:
            events = taken.events()
        except ElementError as error:
            log.error("an element of %s is put aside: %s", taken.queue, error)
            metrics.UNREADABLE.labels(taken.queue).inc()
            self._consumer.put_aside(taken)
            return
        fresh = inbox.deliver(connection, events, writing(taken.queue))
        self._consumer.done(taken)
        metrics.DELIVERED.labels(taken.queue).inc(len(fresh))
        metrics.DUPLICATES.labels(taken.queue).inc(len(events) - len(fresh))

    def _live(self) -> Connection:
        """The kept connection; a new one makes the tables if they are missing."""
        if self._connection is None:
            connection = self._connect()
            try:
                prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _guarded_turn(self) -> float:
        try:
            return self.turn()
        except psycopg.Error as error:
            self._failed("postgresql", error)
        except (RedisError, OSError) as error:
            self._failed("redis", error)
        return AGAIN_AFTER_S

    def _failed(self, of: str, error: Exception) -> None:
        self._status.failed(of, error)
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def prepare(connection: Connection) -> None:
    """Make the inbox and the table of deliveries where they are missing; two consumers may start at once."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(7105220712)")
        connection.execute(inbox.TABLE)
        connection.execute(TABLE)


def writing(queue: str) -> inbox.Work:
    """The work itself: one row an event."""

    def work(connection: Connection, events: Sequence[Event]) -> None:
        columns = {
            "ids": [event.id for event in events],
            "names": [event.name for event in events],
            "aggregates": [event.aggregate_id for event in events],
            "positions": [event.position for event in events],
        }
        connection.execute(_WRITE, {"queue": queue, **columns})

    return work


def forget(connection: Connection, older_than_s: float) -> None:
    """Drop deliveries and ids that are older."""
    connection.execute(_FORGET, (older_than_s,))
    inbox.forget(connection, older_than_s)
