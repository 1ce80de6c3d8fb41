"""Writes rows into PostgreSQL the way an application does: an autocommit INSERT a unit of work."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import psycopg

from chaosblink.history import Outcome
from chaosblink.workloads.addresses import turns
from chaosblink.workloads.attempt import Attempt, judge
from chaosblink.workloads.certain import postgresql as certain
from chaosblink.workloads.connections import Kept
from chaosblink.workloads.spec import PathSpec, Spec, secret

# No key and no unique constraint: a write done twice must show as a duplicate.
TABLE = "CREATE TABLE IF NOT EXISTS chaos_ops (run text NOT NULL, id text NOT NULL)"
INSERT = "INSERT INTO chaos_ops (run, id) VALUES (%s, %s) RETURNING host(inet_server_addr())"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


def options(address: str, port: int, user: str, database: str, password_file: str) -> dict[str, Any]:
    """Connection parameters that notice a dead peer: `statement_timeout` alone does not rescue from one."""
    return {
        "host": address,
        "port": port,
        "user": user,
        "dbname": database,
        "password": secret(password_file),
        "connect_timeout": 3,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": 3000,
        "sslmode": "disable",
        "gssencmode": "disable",
        "application_name": "chaosblink",
    }


def cut(connection: Connection) -> None:
    """End a connection under a pending query: the kernel reports end of file and psycopg raises at once.

    Cancelling the task instead would make psycopg send a cancel request and wait up to 10 s for a dead server.
    """
    try:
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as sock:
            sock.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):
        return  # it is gone already


def cut_off(connection: Connection) -> bool:
    """Whether an idle connection is at its end: closed by its server, or told something that nobody asked for.

    An application's pool looks before it lends one (HikariCP, aiohttp), so that a server's death costs what was open.
    """
    try:
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as sock:
            sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except (OSError, psycopg.Error):
        return True
    return True  # the end of the stream, or the server's farewell


class PostgresqlPath:
    """`postgresql/persistent` and `postgresql/fresh`; a fresh one connects for every operation."""

    op = "insert"

    def __init__(self, spec: Spec, path: PathSpec) -> None:
        """ValueError when the spec has no route to PostgreSQL."""
        if spec.postgresql is None:
            raise ValueError(f"{path.path} needs a postgresql route")
        self._spec, route = spec, spec.postgresql
        self._options = options(route.address, route.port, route.user, route.database, route.password_file)
        self._hosts = turns(route.address)
        self._fresh = path.path.endswith("/fresh")
        self._kept: Kept[Connection] = Kept(self._connect, path.connections)

    async def open(self) -> None:
        """Create the table; two paths may race for it, so an error only means another try."""
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(TABLE)
                return
            except psycopg.Error:
                await asyncio.sleep(0.5)

    async def operate(self, attempt: Attempt) -> None:
        """Insert the attempt's id; the answer names the server that committed it."""
        connection = await (self._connect() if self._fresh else self._take())
        sound = False
        try:
            await self._insert(connection, attempt)
            sound = not connection.closed
        finally:
            attempt.abort = None
            await self._release(connection, sound)

    async def close(self) -> None:
        """Close the idle connections (operations close their own)."""
        for connection in self._kept.idle():
            await connection.close()

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        """An autocommit INSERT is its own COMMIT: once sent, only a SQLSTATE on the list proves failure."""
        return judge(error, attempt, certain.is_certain(error), certain.reason(error))

    async def _take(self) -> Connection:
        while cut_off(connection := await self._kept.take()):
            self._kept.drop()
            await connection.close()
        return connection

    async def _connect(self) -> Connection:
        options = self._options | {"host": ",".join(next(self._hosts))}
        return await psycopg.AsyncConnection.connect(**options, autocommit=True, prepare_threshold=None)

    async def _insert(self, connection: Connection, attempt: Attempt) -> None:
        def warned(notice: psycopg.errors.Diagnostic) -> None:
            # "canceling wait for synchronous replication": committed here, but perhaps on no standby.
            if notice.severity_nonlocalized == "WARNING":
                attempt.warning = f"warning: {notice.message_primary}"

        connection.add_notice_handler(warned)
        attempt.abort = lambda: cut(connection)
        attempt.sent = True
        try:
            cursor = await connection.execute(INSERT, (self._spec.run, attempt.id))
            row = await cursor.fetchone()
        finally:
            connection.remove_notice_handler(warned)
        attempt.server = self._spec.name_of("postgresql", row[0]) if row and row[0] else ""

    async def _release(self, connection: Connection, sound: bool) -> None:
        if self._fresh:
            await connection.close()
        elif sound:
            self._kept.give(connection)
        else:
            # After any error: a session on a standby answers 25006 for ever, a new one lets the proxy choose again.
            self._kept.drop()
            await connection.close()
