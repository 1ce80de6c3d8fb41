"""PgPool, healthy: every instance sees every server and sends writes to the real primary."""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import pytest

from chaosblink.components.pgpool import UP, Pgpool
from chaosblink.components.postgresql import Postgresql
from chaosblink.targets import Target, name_at


def primary_address(target: Target) -> str:
    """Address of the server that itself says it is primary."""
    postgresql = Postgresql(target)
    found = [instance.address for instance in postgresql.instances() if postgresql.role(instance) == "primary"]
    assert len(found) == 1, found
    return found[0]


def served_by(client: psycopg.Connection[Any]) -> str:
    """Address of the server that answers a statement sent through PgPool."""
    row = client.execute("SELECT host(inet_server_addr())").fetchone()
    return str(row[0]) if row else ""


def test_there_are_at_least_two(target: Target) -> None:
    assert len(target.instances("pgpool")) >= 2


def test_every_pgpool_has_every_server_up(target: Target) -> None:
    servers = {instance.name for instance in target.instances("postgresql")}
    for instance in target.instances("pgpool"):
        nodes = Pgpool(target).nodes(instance)
        up = {name_at(target.instances("postgresql"), node["hostname"]) for node in nodes if node["status"] in UP}
        assert up == servers, f"{instance.name}: {nodes}"


def test_every_pgpool_takes_the_real_primary_for_the_primary(target: Target) -> None:
    real = primary_address(target)
    for instance in target.instances("pgpool"):
        nodes = Pgpool(target).nodes(instance)
        taken = [
            name_at(target.instances("postgresql"), node["hostname"]) for node in nodes if node["role"] == "primary"
        ]
        assert taken == [name_at(target.instances("postgresql"), real)], f"{instance.name}: {nodes}"


def test_writes_through_every_pgpool_reach_the_primary(target: Target) -> None:
    real = primary_address(target)
    for instance in target.instances("pgpool"):
        table = f"conformance_{secrets.token_hex(4)}"
        with Pgpool(target).client(instance) as client:
            client.execute(f"CREATE TABLE {table} AS SELECT host(inet_server_addr()) AS wrote".encode())
            try:
                assert client.execute(f"SELECT wrote FROM {table}".encode()).fetchone() == (real,), instance.name
            finally:
                client.execute(f"DROP TABLE {table}".encode())


def test_reads_through_every_pgpool_are_answered_by_the_primary(target: Target) -> None:
    real = primary_address(target)
    for instance in target.instances("pgpool"):
        with Pgpool(target).client(instance) as client:
            assert {served_by(client) for _ in range(20)} == {real}, instance.name


def test_the_entrance_leads_to_the_primary(target: Target) -> None:
    with Pgpool(target).client() as client:
        assert served_by(client) == primary_address(target)


def test_no_pgpool_lets_anybody_in_without_the_right_password(target: Target) -> None:
    for instance in target.instances("pgpool"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(
                host=instance.address,
                port=instance.port,
                user="chaos",
                dbname="chaos",
                password="wrong",
                connect_timeout=5,
            )


def test_no_pgpool_decides_on_a_failover(target: Target) -> None:
    """repmgr promotes; a PgPool with a failover command of its own could promote a second one."""
    for instance in target.instances("pgpool"):
        with Pgpool(target).client(instance) as client:
            assert client.execute("PGPOOL SHOW failover_command").fetchone() == ("",), instance.name
