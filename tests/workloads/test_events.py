"""Events from their cause to their delivery, and both ends of them read afterwards, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from chaosblink.history import EventRead, Operation, read_operations
from chaosblink.workloads.__main__ import path_of
from chaosblink.workloads.final_events import read_both_sides
from chaosblink.workloads.prober import Prober
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.spec import EventsRoute, LoginRoute, PathSpec, PostgresqlRoute, Spec

HERE = "127.0.0.1"
PATH = "eventrelay/persistent"
SESSIONS = [str(number) for number in range(1, 21)]
"""Ids the fake identity gives to sessions: more than are ever opened here."""
TABLES = """
DROP SCHEMA IF EXISTS eventstore CASCADE;
DROP TABLE IF EXISTS events_delivered, eventrelay_inbox;
CREATE SCHEMA eventstore;
CREATE TABLE eventstore.events2 (
    instance_id TEXT, aggregate_type TEXT, aggregate_id TEXT, event_type TEXT, "sequence" BIGINT,
    "position" NUMERIC, in_tx_order INTEGER
);
CREATE TABLE eventrelay_inbox (id TEXT PRIMARY KEY, times INTEGER NOT NULL);
CREATE TABLE events_delivered (
    serial BIGSERIAL PRIMARY KEY, queue TEXT, id TEXT, name TEXT, aggregate_id TEXT, "position" NUMERIC
)
"""


def _fake_identity() -> ModuleType:
    file = Path(__file__).with_name("fake_identity.py")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


fake_identity = _fake_identity()


@pytest.fixture
def database(postgresql: Any, password_file: Path) -> Iterator[psycopg.Connection[Any]]:
    password = password_file.read_text().strip()
    with psycopg.connect(
        host=HERE, port=postgresql.port, user="chaos", dbname="chaos", password=password, autocommit=True
    ) as connection:
        connection.execute(TABLES.encode())
        yield connection


@pytest.fixture
def route(postgresql: Any, password_file: Path) -> PostgresqlRoute:
    return PostgresqlRoute(HERE, postgresql.port, str(password_file))


@pytest.fixture
def store(route: PostgresqlRoute) -> EventsRoute:
    return EventsRoute(route.address, route.port, route.password_file, 1000.0, user="chaos", database="chaos")


@pytest.fixture
def spec(certificate: Path, password_file: Path, route: PostgresqlRoute, tmp_path: Path) -> Iterator[Spec]:
    with fake_identity.serving(certificate) as fake:
        secret = str(password_file)
        login = LoginRoute(HERE, fake.port, str(certificate), secret, secret, host="platform.test", users=2)
        yield Spec("run-1", str(tmp_path), [], [], postgresql=route, login=login)


def write(database: psycopg.Connection[Any], identity: str, position: float, kind: str = "session.terminated") -> None:
    values = ("i", "session", identity, kind, 1, position, 1)
    database.execute("INSERT INTO eventstore.events2 VALUES (%s, %s, %s, %s, %s, %s, %s)", values)


def deliver(database: psycopg.Connection[Any], identity: str, position: float = 0, queue: str = "high") -> None:
    key = f"i/session/{identity}/1"
    database.execute(
        "INSERT INTO eventrelay_inbox VALUES (%s, 1) ON CONFLICT (id) DO UPDATE SET times = eventrelay_inbox.times + 1",
        (key,),
    )
    database.execute(
        'INSERT INTO events_delivered (queue, id, name, aggregate_id, "position") VALUES (%s, %s, %s, %s, %s)',
        (queue, key, "auth.logout", identity, position),
    )


def probe(
    spec: Spec, database: psycopg.Connection[Any], delivered: dict[str, float], deadline_ms: float
) -> list[Operation]:
    """A few events, one every 50 ms; `delivered` says after how many seconds each is delivered."""
    timers = [threading.Timer(after, deliver, (database, identity)) for identity, after in delivered.items()]
    path = PathSpec(PATH, 50, deadline_ms)
    recorder = Recorder(Path(spec.folder), [PATH])

    async def run() -> None:
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(0.19, stopping.set)
        await Prober(path, path_of(spec, path), recorder, "p").run(time.monotonic_ns(), stopping)

    for timer in timers:
        timer.start()
    asyncio.run(run())
    for timer in timers:
        timer.join()
    recorder.flush()
    return sorted(read_operations(Path(spec.folder) / "history.jsonl"), key=lambda op: op.start)


def test_an_event_is_there_when_the_consumer_has_committed_it(spec: Spec, database: psycopg.Connection[Any]) -> None:
    operations = probe(spec, database, dict.fromkeys(SESSIONS, 0.6) | {"2": 1.2}, deadline_ms=10_000)
    assert {op.outcome for op in operations} == {"ok"}
    ends = sorted(op.end for op in operations)
    assert (operations[0].end - operations[0].start) / 1e9 >= 0.5
    assert (ends[-1] - ends[-2]) / 1e9 > 0.3, "the second event comes long after all others"


def test_an_event_that_does_not_come_is_unknown_and_says_where_it_stayed(
    spec: Spec, database: psycopg.Connection[Any]
) -> None:
    operations = probe(spec, database, dict.fromkeys(SESSIONS, 0.6) | {"2": 9.0}, deadline_ms=5000)
    missing = [(op.outcome, op.reason) for op in operations if op.outcome != "ok"]
    assert missing == [("unknown", "delivery:deadline")]


def both(store: EventsRoute, route: PostgresqlRoute) -> dict[tuple[str, str], EventRead]:
    return {(read.source, read.queue): read for read in read_both_sides(store, route, 0.5)}


def test_both_sides_are_read_in_their_order(
    database: psycopg.Connection[Any], store: EventsRoute, route: PostgresqlRoute
) -> None:
    write(database, "old", 999)
    write(database, "b", 1002)
    write(database, "a", 1001)
    write(database, "n", 1003, "user.human.added")
    write(database, "l", 1004, "session.token.set")
    for identity, position, queue in (
        ("a", 1001, "high"),
        ("l", 1004, "low"),
        ("b", 1002, "high"),
        ("old", 999, "high"),
    ):
        deliver(database, identity, position, queue)
    deliver(database, "b", 1002)
    reads = both(store, route)
    assert reads["store", "high"].ids == ["i/session/a/1", "i/session/b/1"]
    assert reads["store", "normal"].ids == ["i/session/n/1"]
    assert reads["consumer", "high"].ids == ["i/session/a/1", "i/session/b/1", "i/session/b/1"]
    assert reads["consumer", "high"].removed == 1
    assert reads["consumer", "normal"].ids == []
    assert all(read.complete for read in reads.values())


def test_what_an_open_transaction_may_still_precede_is_not_expected_yet(
    database: psycopg.Connection[Any], store: EventsRoute, route: PostgresqlRoute, password_file: Path
) -> None:
    with psycopg.connect(
        host=HERE, port=route.port, user="chaos", dbname="chaos", password=password_file.read_text().strip()
    ) as other:
        other.execute("SELECT 1")
        write(database, "young", time.time() + 0.001)
        assert both(store, route)["store", "high"].ids == []
        other.rollback()
        assert both(store, route)["store", "high"].ids == ["i/session/young/1"]


def test_a_side_that_cannot_be_read_is_there_and_not_complete(
    database: psycopg.Connection[Any], store: EventsRoute, route: PostgresqlRoute
) -> None:
    write(database, "a", 1001)
    away = both(store, replace(route, port=1))
    assert away["store", "high"].complete
    assert not any(away["consumer", queue].complete for queue in ("high", "normal", "low"))
    nothing = both(replace(store, port=1), route)
    assert len(nothing) == 6
    assert not any(read.complete for read in nothing.values())
