"""After recovery: the events ZITADEL wrote in a round, and those that a consumer committed, list by list."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import psycopg

from chaosblink.history import EventRead
from chaosblink.waiting import Timeout, until
from chaosblink.workloads.postgresql_path import options
from chaosblink.workloads.spec import EventsRoute, PostgresqlRoute

QUEUES = ("high", "normal", "low")

# As the relay does (its source.py says why): what is still open may lie above the start of the oldest transaction.
_HORIZON = b"""
SELECT extract(epoch FROM least(statement_timestamp(), min(xact_start))) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
"""
_WRITTEN = b"""
SELECT event_type, concat_ws('/', instance_id, aggregate_type, aggregate_id, "sequence"), "position", in_tx_order
FROM eventstore.events2 WHERE "position" >= %s AND "position" < %s
"""
_ARRIVED = b'SELECT count(DISTINCT id) FROM events_delivered WHERE "position" >= %s AND "position" < %s'
_DELIVERED = b"""
SELECT queue, d.id, i.times FROM events_delivered d LEFT JOIN eventrelay_inbox i USING (id)
WHERE "position" >= %s AND "position" < %s ORDER BY serial
"""

Span = tuple[Decimal, Decimal]


def read_both_sides(store: EventsRoute, consumer: PostgresqlRoute, within_s: float) -> list[EventRead]:
    """One read a list of both sides, of all events since `store.since`; what cannot be read is there, not complete.

    Waits until as many events were delivered as were written, at most `within_s`; what is missing then is lost.
    """
    try:
        span, written = _written(store)
    except (psycopg.Error, OSError) as error:
        return [_failed("store", queue, error) for queue in QUEUES] + [_failed("consumer", q, error) for q in QUEUES]
    said = [EventRead("store", queue, time.monotonic_ns(), ids) for queue, ids in written.items()]
    expected = sum(map(len, written.values()))
    try:
        with contextlib.suppress(Timeout):  # a checker names what is missing
            until(lambda: _arrived(consumer, span) >= expected, within_s, "all is delivered", 0.3)
        return said + _delivered(consumer, span)
    except (psycopg.Error, OSError) as error:
        return said + [_failed("consumer", queue, error) for queue in QUEUES]


def _written(store: EventsRoute) -> tuple[Span, dict[str, list[str]]]:
    from eventrelay.table import classify  # the relay's own table, installed where a relay runs

    lists: dict[str, list[str]] = {queue: [] for queue in QUEUES}
    with _connect(store) as connection:
        row = connection.execute(_HORIZON).fetchone()
        span = (Decimal(str(store.since)), row[0] if row else Decimal(0))
        rows = connection.execute(_WRITTEN, span).fetchall()
    for kind, identity, _position, _order in sorted(rows, key=lambda row: (row[2], row[3], row[1])):
        lists[classify(kind)[0]].append(identity)
    return span, lists


def _arrived(consumer: PostgresqlRoute, span: Span) -> int:
    with _connect(consumer) as connection:
        row = connection.execute(_ARRIVED, span).fetchone()
    return int(row[0]) if row else 0


def _delivered(consumer: PostgresqlRoute, span: Span) -> list[EventRead]:
    with _connect(consumer) as connection:
        rows: list[tuple[str, str, int | None]] = connection.execute(_DELIVERED, span).fetchall()
    return [_read(queue, [(identity, times) for name, identity, times in rows if name == queue]) for queue in QUEUES]


def _read(queue: str, rows: Iterable[tuple[str, int | None]]) -> EventRead:
    rows = list(rows)
    removed = sum((times or 1) - 1 for times in dict(rows).values())
    return EventRead("consumer", queue, time.monotonic_ns(), [identity for identity, _ in rows], removed)


def _connect(route: EventsRoute | PostgresqlRoute) -> psycopg.Connection[Any]:
    parameters = options(route.address, route.port, route.user, route.database, route.password_file)
    return psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)


def _failed(source: str, queue: str, error: Exception) -> EventRead:
    return EventRead(source, queue, time.monotonic_ns(), [], 0, False, " ".join(str(error).split())[:200])
