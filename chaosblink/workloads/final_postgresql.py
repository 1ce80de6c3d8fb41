"""The rows each PostgreSQL server holds, read from the server directly and not through PgPool."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from chaosblink.history import FinalRead
from chaosblink.targets import Instance
from chaosblink.waiting import Timeout, until
from chaosblink.workloads.postgresql_path import options
from chaosblink.workloads.spec import Spec

Connection = psycopg.Connection[tuple[Any, ...]]


def read_postgresql(spec: Spec) -> list[FinalRead]:
    """One read an instance; standbys are read once they have replayed what the primary had flushed."""
    roles = {instance.name: _role(spec, instance) for instance in spec.of("postgresql")}
    primaries = [instance for instance in spec.of("postgresql") if roles[instance.name] == "primary"]
    try:
        flushed = [_ask(spec, primary, "SELECT pg_current_wal_flush_lsn()::text") for primary in primaries]
    except psycopg.Error as error:
        return [_failed(instance, roles[instance.name], str(error)) for instance in spec.of("postgresql")]
    reads = []
    for instance in spec.of("postgresql"):
        role = roles[instance.name]
        if role == "standby" and len(flushed) != 1:
            reads.append(_failed(instance, role, f"{len(flushed)} primaries: no position to wait for"))
        else:
            reads.append(_read(spec, instance, role, flushed[0] if role == "standby" else ""))
    return reads


def _read(spec: Spec, instance: Instance, role: str, behind: str) -> FinalRead:
    try:
        if behind:
            until(lambda: _replayed(spec, instance, behind), spec.final_read_deadline_s, f"replay of {behind}", 0.2)
        with _connect(spec, instance) as connection:
            rows = connection.execute("SELECT id FROM chaos_ops WHERE run = %s ORDER BY ctid", (spec.run,)).fetchall()
    except (psycopg.Error, Timeout, OSError) as error:
        return _failed(instance, role, str(error))
    return FinalRead("postgresql", instance.name, role, time.monotonic_ns(), [row[0] for row in rows])


def _replayed(spec: Spec, instance: Instance, position: str) -> bool:
    return bool(_ask(spec, instance, f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"))


def _role(spec: Spec, instance: Instance) -> str:
    try:
        return "standby" if _ask(spec, instance, "SELECT pg_is_in_recovery()") else "primary"
    except (psycopg.Error, OSError):
        return ""


def _ask(spec: Spec, instance: Instance, query: str) -> Any:
    with _connect(spec, instance) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def _connect(spec: Spec, instance: Instance) -> Connection:
    assert spec.postgresql is not None
    route = spec.postgresql
    parameters = options(instance.address, instance.port, route.user, route.database, route.password_file)
    return psycopg.connect(**parameters, autocommit=True)


def _failed(instance: Instance, role: str, why: str) -> FinalRead:
    return FinalRead("postgresql", instance.name, role, time.monotonic_ns(), [], False, why.strip()[:200])
