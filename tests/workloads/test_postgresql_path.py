"""The PostgreSQL writer against a real server: what it records when the server refuses, hangs, or dies mid-commit."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from chaosblink.history import Operation, read_operations
from chaosblink.targets import Instance
from chaosblink.workloads.__main__ import path_of
from chaosblink.workloads.postgresql_path import TABLE
from chaosblink.workloads.prober import Prober
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.spec import PathSpec, PostgresqlRoute, Spec

HERE = "127.0.0.1"


@pytest.fixture
def spec(postgresql: object, password_file: Path, tmp_path: Path, administrator: psycopg.Connection) -> Spec:
    port = postgresql.port  # type: ignore[attr-defined]
    administrator.execute(TABLE)
    administrator.execute("TRUNCATE chaos_ops")
    instance = Instance("postgresql-0", "postgresql", 0, HERE, port, "")
    return Spec("run-1", str(tmp_path), [], [instance], PostgresqlRoute(HERE, port, str(password_file)))


def probe(
    spec: Spec, kind: str = "persistent", seconds: float = 0.5, meanwhile: object = None, deadline_ms: float = 300
) -> list[Operation]:
    """Operations due every 20 ms; `meanwhile` runs in a thread halfway through."""

    async def run() -> None:
        path = PathSpec(f"postgresql/{kind}", 20, deadline_ms, connections=4)
        recorder, stopping = Recorder(Path(spec.folder), [path.path]), asyncio.Event()
        prober = Prober(path, path_of(spec, path), recorder, "t")
        loop = asyncio.get_running_loop()
        probing = asyncio.create_task(prober.run(time.monotonic_ns(), stopping))
        await asyncio.sleep(seconds / 2)
        if callable(meanwhile):
            await loop.run_in_executor(None, meanwhile)
        await asyncio.sleep(seconds / 2)
        stopping.set()
        await probing
        recorder.flush()

    asyncio.run(run())
    return read_operations(Path(spec.folder) / "history.jsonl")


@contextmanager
def locked(administrator: psycopg.Connection) -> Iterator[None]:
    """The table is locked: every INSERT waits."""
    with administrator.transaction():
        administrator.execute("LOCK TABLE chaos_ops IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("kind", ["persistent", "fresh"])
def test_acknowledged_ids_are_the_rows_of_the_table(spec: Spec, administrator: psycopg.Connection, kind: str) -> None:
    operations = probe(spec, kind, deadline_ms=5000)
    assert {op.outcome for op in operations} == {"ok"}
    assert {op.server for op in operations} == {"postgresql-0"}
    rows = administrator.execute("SELECT id FROM chaos_ops WHERE run = 'run-1'").fetchall()
    assert sorted(row[0] for row in rows) == sorted(op.id for op in operations)


def test_a_read_only_server_fails_certainly(spec: Spec, administrator: psycopg.Connection) -> None:
    administrator.execute("ALTER ROLE chaos SET default_transaction_read_only = on")
    try:
        operations = probe(spec, deadline_ms=5000)
    finally:
        administrator.execute("SET default_transaction_read_only = off")
        administrator.execute("ALTER ROLE chaos RESET default_transaction_read_only")
    assert {(op.outcome, op.reason) for op in operations} == {("fail", "25006")}


def test_what_a_hanging_server_was_sent_is_unknown(spec: Spec, administrator: psycopg.Connection) -> None:
    with locked(administrator):
        operations = probe(spec)
    kinds = {(op.outcome, op.reason) for op in operations}
    # Whoever waits in line is sent when the operation before it expires, unless connecting outlasts its own deadline.
    assert {("unknown", "deadline")} <= kinds <= {("unknown", "deadline"), ("fail", "deadline-before-sending")}
    assert max(op.end - op.start for op in operations) < 600_000_000


def test_what_never_got_a_connection_was_certainly_not_sent(spec: Spec) -> None:
    with socket.create_server((HERE, 0)) as silent:
        route = PostgresqlRoute(HERE, silent.getsockname()[1], spec.postgresql.password_file)  # type: ignore[union-attr]
        operations = probe(dataclasses.replace(spec, postgresql=route))
    assert {(op.outcome, op.reason) for op in operations} == {("fail", "deadline-before-sending")}


def test_a_session_killed_while_it_commits_is_unknown(spec: Spec, administrator: psycopg.Connection) -> None:
    def kill_sessions() -> None:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chaosblink'"
        )

    with locked(administrator):
        operations = probe(spec, seconds=0.3, meanwhile=kill_sessions)
    assert ("unknown", "57P01") in {(op.outcome, op.reason) for op in operations}


def test_a_cancelled_wait_for_a_standby_is_unknown_although_the_row_is_there(
    spec: Spec, administrator: psycopg.Connection
) -> None:
    def cancel_waits() -> None:
        administrator.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    administrator.execute("SET synchronous_commit = local")
    administrator.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    administrator.execute("SELECT pg_reload_conf()")
    try:
        operations = probe(spec, seconds=0.2, meanwhile=cancel_waits)
    finally:
        administrator.execute("ALTER SYSTEM RESET synchronous_standby_names")
        administrator.execute("SELECT pg_reload_conf()")
    warned = [op for op in operations if op.reason.startswith("warning: cancel")]
    assert warned
    assert {op.outcome for op in warned} == {"unknown"}
    rows = administrator.execute("SELECT id FROM chaos_ops").fetchall()
    assert {op.id for op in warned} <= {row[0] for row in rows}


def test_a_refused_connection_fails_certainly(spec: Spec, password_file: Path) -> None:
    nobody = Spec("run-1", spec.folder, [], spec.instances, PostgresqlRoute(HERE, 1, str(password_file)))
    operations = probe(nobody, deadline_ms=5000)
    assert {(op.outcome, op.reason) for op in operations} == {("fail", "refused")}
