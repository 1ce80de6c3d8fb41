"""PostgreSQL access that fails as ZITADEL's does: ten connections, none retried, each dialled by the request itself.

psycopg_pool is not used on purpose. It dials in the background, one connection at a time and with a growing
back-off, so a refused connection reaches no request and logins stay down after the database is back. ZITADEL's pool
(pgx) dials within the request, pings a connection that was idle for over a second, and closes one whose request
was cancelled; this module does the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import tenacity
from psycopg import waiting
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from zitadel_standin import events, metrics
from zitadel_standin.events import Event
from zitadel_standin.settings import Settings

T = TypeVar("T")

_IDLE, _BUSY = metrics.CONNECTIONS.labels("idle"), metrics.CONNECTIONS.labels("busy")
PING_AFTER_IDLE = 1.0
"""Seconds; pgx v5 `pool.Acquire` pings a connection that was idle for longer."""
LOOK_EVERY = 1.0
"""Seconds after which a wait for the server looks around although nothing came. wait_async's own default is 0: it
would spin until the answer is there, twenty turns of the event loop a query and more the slower the database is."""


class Unavailable(Exception):
    """No connection could be had: refused, timed out, or all of them busy for the whole acquire timeout."""


class Connection(psycopg.AsyncConnection[DictRow]):
    """A connection that is closed at once when its request is cancelled, as pgx does.

    psycopg would ask a possibly frozen server to cancel the query and wait for it, up to ten seconds.
    """

    async def wait(self, gen: Any, interval: float = LOOK_EVERY, timeout: float | None = None) -> Any:
        """Wait for the server's answer; a cancelled wait leaves the connection closed."""
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval, timeout)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


@dataclass(slots=True)
class _Idle:
    connection: Connection
    since: float


class Database:
    """A pool of at most `pool_size` connections; must be used on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.pool_size)
        self._idle: deque[_Idle] = deque()
        self._born: dict[Connection, float] = {}

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend one connection in autocommit mode; Unavailable when none can be had. It is never retried."""
        try:
            async with asyncio.timeout(self._settings.acquire_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable("every database connection is busy") from None
        try:
            connection = await self._take()
            try:
                yield connection
            finally:
                await self._give_back(connection)
        finally:
            self._slots.release()

    async def transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in one transaction and return its answer; repeated as `change` is."""

        async def attempt() -> T:
            async with self.connection() as connection, connection.transaction():
                return await work(connection)

        return await _repeating(attempt)

    async def change(self, statement: str, told: list[Event], parameters: dict[str, Any]) -> DictRow | None:
        """Run one `events.telling` statement, which is its own transaction; its row, None when nothing changed.

        Repeated only after a serialization failure or an event sequence taken by another transaction, at most 5 times
        within 15 s, as ZITADEL's event pushes are; a lost connection is the request's failure.
        """
        given = parameters | events.parameters(told)

        async def attempt() -> DictRow | None:
            return await self.one(statement, given)

        return await _repeating(attempt)

    async def one(self, query: str, parameters: dict[str, Any]) -> DictRow | None:
        """The first row of one statement outside any transaction, None when there is none; never repeated."""
        async with self.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchone()

    async def all(self, query: str, parameters: dict[str, Any]) -> list[DictRow]:
        """Every row of one statement outside any transaction; never repeated."""
        async with self.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    async def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            await self._discard(self._idle.pop().connection)

    async def _take(self) -> Connection:
        """The idle connection used last, if it still answers, else a new one."""
        while self._idle:
            idle = self._idle.pop()
            connection = idle.connection
            now = time.monotonic()
            if now - self._born[connection] > self._settings.connection_lifetime:
                await self._discard(connection)
            elif now - idle.since <= PING_AFTER_IDLE or await _answers(connection):
                self._count()
                return connection
            else:
                metrics.CONNECTIONS_LOST.inc()
                await self._discard(connection)
        return await self._dial()

    async def _dial(self) -> Connection:
        """Open a connection; the bounds on a dead peer are those of libpq, since statements have none of their own."""
        settings = self._settings
        try:
            connection = await Connection.connect(
                host=settings.database_host,
                port=settings.database_port,
                dbname=settings.database_name,
                user=settings.database_user,
                password=settings.database_password,
                connect_timeout=2,
                keepalives_idle=2,
                keepalives_interval=1,
                keepalives_count=3,
                tcp_user_timeout=5000,
                application_name=f"zitadel-standin/{settings.instance}",
                autocommit=True,
                row_factory=dict_row,
            )
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database refused a connection: {one_line(error)}") from None
        self._born[connection] = time.monotonic()
        self._count()
        return connection

    async def _give_back(self, connection: Connection) -> None:
        usable = not connection.closed and connection.info.transaction_status is TransactionStatus.IDLE
        if usable and len(self._idle) < self._settings.pool_idle:
            self._idle.append(_Idle(connection, time.monotonic()))
            self._count()
            return
        if not usable:
            metrics.CONNECTIONS_LOST.inc()
        await self._discard(connection)

    async def _discard(self, connection: Connection) -> None:
        self._born.pop(connection, None)
        await connection.close()
        self._count()

    def _count(self) -> None:
        _IDLE.set(len(self._idle))
        _BUSY.set(len(self._born) - len(self._idle))


def one_line(error: BaseException) -> str:
    """An error's text on one line, to be logged; libpq's messages carry no secret."""
    return " ".join(str(error).split())


async def _repeating(attempt: Callable[[], Awaitable[T]]) -> T:
    """The attempt's answer; only a conflict pays for the machinery of repeating."""
    try:
        return await attempt()
    except psycopg.Error as error:
        if not _is_conflict(error):
            raise
    metrics.TRANSACTIONS_RETRIED.inc()
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_is_conflict),
        stop=tenacity.stop_after_attempt(5) | tenacity.stop_after_delay(15),
        wait=tenacity.wait_random_exponential(multiplier=0.01, max=0.5),
        before_sleep=lambda _: metrics.TRANSACTIONS_RETRIED.inc(),
        reraise=True,
    )
    return await retrying(attempt)


def _is_conflict(error: BaseException) -> bool:
    if isinstance(error, psycopg.errors.UniqueViolation):
        return error.diag.constraint_name == "events2_pkey"
    return isinstance(error, psycopg.errors.SerializationFailure)


async def _answers(connection: Connection) -> bool:
    try:
        await connection.execute("")
    except psycopg.Error:
        return False
    return True
