"""A private PostgreSQL and a private Redis as processes, on loopback ports of their own, and what tests do to them."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import redis
import tenacity

LOOPBACK = "127.0.0.1"
T = TypeVar("T")

STORE = """
CREATE SCHEMA eventstore;
CREATE TABLE eventstore.events2 (
    instance_id TEXT NOT NULL, aggregate_type TEXT NOT NULL, aggregate_id TEXT NOT NULL, event_type TEXT NOT NULL,
    "sequence" BIGINT NOT NULL, revision SMALLINT NOT NULL, created_at TIMESTAMPTZ NOT NULL, payload JSONB,
    creator TEXT NOT NULL, "owner" TEXT NOT NULL, "position" NUMERIC NOT NULL, in_tx_order INTEGER NOT NULL,
    PRIMARY KEY (instance_id, aggregate_type, aggregate_id, "sequence")
);
CREATE INDEX es_position ON eventstore.events2 ("position", in_tx_order);
"""
# As ZITADEL does: one clock reading for all events of a transaction.
TELL = """
WITH clock AS MATERIALIZED (SELECT coalesce(to_timestamp(%(at)s), clock_timestamp()) AS at)
INSERT INTO eventstore.events2
SELECT 'i', 'user', g.id, g.kind, 1, 1, clock.at, '{"secret": "stays here"}', 'me', 'org',
       extract(epoch FROM clock.at), g.place
FROM clock, unnest(%(ids)s::text[], %(kinds)s::text[]) WITH ORDINALITY AS g (id, kind, place)
"""


def until(condition: Callable[[], T], within: float, what: str) -> T:
    """The condition's first truthy answer; AssertionError after `within` seconds. An exception means not yet."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(within),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type(Exception) | tenacity.retry_if_result(lambda answer: not answer),
    )
    try:
        return retrying(condition)
    except tenacity.RetryError as error:
        raise AssertionError(f"{what}: not within {within:g} s ({error.last_attempt})") from None


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


@dataclass
class Postgres:
    """One server with a database `zitadel` that holds an empty event store; as root it runs as user postgres."""

    home: Path
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    def start(self) -> None:
        secret = self.home / "superuser"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(self.home, "postgres")
            shutil.chown(secret, "postgres")
        options = ["-U", "zitadel", f"--pwfile={secret}", "--auth=md5", "--no-sync", "-E", "UTF8"]
        subprocess.run([*self._command("initdb"), "-D", self.home / "data", *options], check=True, capture_output=True)
        settings = [f"listen_addresses={LOOPBACK}", f"port={self.port}", "fsync=off"]
        settings.append(f"unix_socket_directories={self.home}")
        given = [part for setting in settings for part in ("-c", setting)]
        self.process = subprocess.Popen(
            [*self._command("postgres"), "-D", self.home / "data", *given],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with until(lambda: self.connect("postgres"), 30, "PostgreSQL starts") as connection:
            connection.execute("CREATE DATABASE zitadel")
        with self.connect() as connection:
            connection.execute(STORE)

    def connect(self, database: str = "zitadel") -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=LOOPBACK, port=self.port, dbname=database, user="zitadel", password=self.password, autocommit=True
        )

    def rows(self, query: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.kill(int((self.home / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
            self.process.wait(10)

    def _command(self, program: str) -> list[str]:
        versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        path = str(versions[-1]) if versions else str(shutil.which(program))
        drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        return [*drop, path] if os.geteuid() == 0 else [path]


@dataclass
class Redis:
    """One server with a password."""

    home: Path
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    def start(self) -> None:
        config = self.home / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(f'bind {LOOPBACK}\nport {self.port}\nrequirepass {self.password}\nsave ""\ndir {self.home}\n')
        self.process = subprocess.Popen(["redis-server", config], stdout=subprocess.DEVNULL)
        until(self.client().ping, 15, "Redis starts")

    def client(self) -> redis.Redis:
        return redis.Redis(host=LOOPBACK, port=self.port, password=self.password, db=1)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)


def tell(
    connection: psycopg.Connection[Any], ids: Sequence[str], kind: str = "session.terminated", at: float | None = None
) -> None:
    """Events as ZITADEL writes them, one an id, in one statement; `at` is another clock's time (s)."""
    connection.execute(TELL, {"ids": list(ids), "kinds": [kind] * len(ids), "at": at})
