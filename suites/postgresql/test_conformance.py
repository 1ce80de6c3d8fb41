"""PostgreSQL, healthy: one primary, standbys streaming and counted by name, slots, roles, permissions (tried)."""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import pytest
from psycopg import errors

from chaosblink.components.postgresql import Postgresql
from chaosblink.targets import Instance, Target
from chaosblink.waiting import until

ROLES = {
    # superuser, may make databases, may make roles, may replicate
    "postgres": (True, True, True, True),
    "repmgr": (True, False, False, False),
    "zitadel": (False, False, True, False),
    "chaos": (False, False, False, False),
    "pgpool": (False, False, False, False),
}


def primary_of(target: Target) -> Instance:
    """The one server that says it is primary."""
    postgresql = Postgresql(target)
    return next(instance for instance in postgresql.instances() if postgresql.role(instance) == "primary")


def standbys_of(target: Target) -> list[Instance]:
    """All others."""
    primary = primary_of(target)
    return [instance for instance in target.instances("postgresql") if instance != primary]


def rows(target: Target, instance: Instance, question: str) -> list[tuple[Any, ...]]:
    """A superuser's question to one server."""
    with Postgresql(target).administrator(instance) as asked:
        return asked.execute(question.encode()).fetchall()


def logged_in(target: Target, instance: Instance, user: str, database: str) -> psycopg.Connection[Any]:
    """A connection to one server as another role than the suite's own."""
    return psycopg.connect(
        host=instance.address,
        port=instance.port,
        user=user,
        dbname=database,
        password=target.secret(f"{user}-password"),
        autocommit=True,
        connect_timeout=5,
    )


def test_one_server_is_primary_and_every_other_a_standby(target: Target) -> None:
    postgresql = Postgresql(target)
    roles = {instance.name: postgresql.role(instance) for instance in postgresql.instances()}
    assert sorted(roles.values()) == ["primary"] + ["standby"] * (len(roles) - 1), roles
    assert len(roles) >= 3


def test_every_standby_streams(target: Target) -> None:
    states = dict(rows(target, primary_of(target), "SELECT application_name, state FROM pg_stat_replication"))
    assert states == {instance.name: "streaming" for instance in standbys_of(target)}


def test_every_standby_counts_for_synchronous_commits_by_name(target: Target) -> None:
    primary = primary_of(target)
    named = rows(target, primary, "SHOW synchronous_standby_names")[0][0]
    assert named.startswith("ANY 1 ("), named
    assert all(f'"{instance.name}"' in named for instance in standbys_of(target)), named
    states = dict(rows(target, primary, "SELECT application_name, sync_state FROM pg_stat_replication"))
    assert states == {instance.name: "quorum" for instance in standbys_of(target)}


def test_a_commit_waits_for_a_standby(target: Target) -> None:
    """What was acknowledged is flushed on a standby at that moment, for the suite's user and for ZITADEL's."""
    primary = primary_of(target)
    for user in ("chaos", "zitadel"):
        with logged_in(target, primary, user, user) as client:
            assert client.execute("SHOW synchronous_commit").fetchone() == ("on",), user
            table = _scratch(client)
            try:
                client.execute(f"INSERT INTO {table} VALUES (1)".encode())
                flushed = rows(
                    target,
                    primary,
                    "SELECT max(flush_lsn) >= (SELECT pg_current_wal_flush_lsn()) FROM pg_stat_replication",
                )
                committed = client.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            finally:
                client.execute(f"DROP TABLE {table}".encode())
            assert committed == (1,)
            # others may have written since; then the standby must have passed our commit all the same, soon
            if flushed != [(True,)]:
                until(lambda: _caught_up(target, primary), 5, "a standby has flushed what the primary has", 0.05)


def _caught_up(target: Target, primary: Instance) -> bool:
    return rows(
        target,
        primary,
        "SELECT max(flush_lsn) >= (SELECT pg_current_wal_flush_lsn()) FROM pg_stat_replication",
    ) == [(True,)]


def _scratch(client: psycopg.Connection[Any]) -> str:
    table = f"conformance_{secrets.token_hex(4)}"
    client.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)".encode())
    return table


def test_every_standby_holds_its_slot_and_no_slot_is_left_over(target: Target) -> None:
    """A slot nobody reads keeps WAL until the disk is full."""
    slots = rows(
        target,
        primary_of(target),
        "SELECT s.slot_name, s.active, r.application_name FROM pg_replication_slots s "
        "LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid",
    )
    held = {name for _, active, name in slots if active}
    assert held == {instance.name for instance in standbys_of(target)}, slots
    assert [slot for slot, active, _ in slots if not active] == []


def test_a_standby_refuses_to_write(target: Target) -> None:
    for instance in standbys_of(target):
        with Postgresql(target).client(instance) as client, pytest.raises(errors.ReadOnlySqlTransaction):
            client.execute("CREATE TABLE conformance_on_a_standby (id int)")


def test_roles_have_the_attributes_they_need_and_no_more(target: Target) -> None:
    found = rows(
        target,
        primary_of(target),
        "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles WHERE rolcanlogin",
    )
    assert {name: tuple(rest) for name, *rest in found} == ROLES


FORBIDDEN_TO_CHAOS = {
    "read other roles' passwords": "SELECT rolpassword FROM pg_authid",
    "read files of the server": "SELECT pg_read_file('postgresql.conf')",
    "run programs": "COPY (SELECT 1) TO PROGRAM 'true'",
    "change the configuration": "ALTER SYSTEM SET work_mem = '4MB'",
    "make roles": "CREATE ROLE conformance_intruder",
    "make databases": "CREATE DATABASE conformance_intruder",
    "become superuser": "ALTER ROLE chaos SUPERUSER",
    "become another role": "SET ROLE postgres",
    "end other sessions": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' LIMIT 1",
    "promote a server": "SELECT pg_promote()",
    "drop slots": "SELECT pg_drop_replication_slot('conformance_none')",
}


@pytest.mark.parametrize("what", FORBIDDEN_TO_CHAOS)
def test_chaos_may_not(target: Target, what: str) -> None:
    postgresql, primary = Postgresql(target), primary_of(target)
    # the superuser's session is there to be ended
    with (
        postgresql.administrator(primary),
        postgresql.client(primary) as client,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        client.execute(FORBIDDEN_TO_CHAOS[what].encode())


@pytest.mark.parametrize("user", ["chaos", "pgpool"])
def test_zitadels_data_is_closed_to(target: Target, user: str) -> None:
    with logged_in(target, primary_of(target), user, "zitadel") as client:
        for question in ("SELECT * FROM eventstore.events2 LIMIT 1", "SELECT * FROM identity.users LIMIT 1"):
            with pytest.raises(errors.InsufficientPrivilege):
                client.execute(question.encode())
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("CREATE TABLE conformance_intruder (id int)")


def test_pgpool_sees_replication_and_no_data(target: Target) -> None:
    """Its role reads statistics (pg_monitor), which it needs to follow the primary, and nothing else."""
    with logged_in(target, primary_of(target), "pgpool", "postgres") as client:
        states = client.execute("SELECT state FROM pg_stat_replication").fetchall()
        assert states == [("streaming",)] * len(standbys_of(target))
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute("SELECT rolpassword FROM pg_authid")


@pytest.mark.parametrize(
    ("user", "password"), [("chaos", "wrong"), ("chaos", None), ("postgres", None), ("nobody", "wrong")]
)
def test_no_server_lets_anybody_in_without_the_right_password(target: Target, user: str, password: str | None) -> None:
    for instance in target.instances("postgresql"):
        with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|no password supplied"):
            psycopg.connect(
                host=instance.address,
                port=instance.port,
                user=user,
                dbname="chaos",
                password=password,
                passfile="/dev/null",
                connect_timeout=5,
            )


def test_passwords_are_stored_as_hashes(target: Target) -> None:
    found = rows(
        target,
        primary_of(target),
        "SELECT rolname, left(rolpassword, 3) FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL",
    )
    assert {name for name, _ in found} == set(ROLES)
    assert {kind for _, kind in found} <= {"SCR", "md5"}, found


def test_no_data_is_thrown_away_by_a_crash(target: Target) -> None:
    """fsync, full_page_writes and synchronous_commit: what a commit's word rests on."""
    for instance in target.instances("postgresql"):
        settings = dict(
            rows(
                target,
                instance,
                "SELECT name, setting FROM pg_settings "
                "WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'wal_log_hints')",
            )
        )
        assert set(settings.values()) == {"on"}, f"{instance.name}: {settings}"
