"""One poller a component: asks an instance what it is now, and whom it takes for the leader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import psycopg
from redis.asyncio import Connection as RedisConnection

from chaosblink.observer.spec import ObserverSpec
from chaosblink.targets import Instance
from chaosblink.workloads.https import session, unnamed_trust
from chaosblink.workloads.postgresql_path import Connection, cut, options
from chaosblink.workloads.sentinels import command, connection
from chaosblink.workloads.spec import secret

SETS = ("set-1", "set-2", "set-3")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an instance said: its role, and by thing led (`vault`, `postgresql`, `set-1`) the instance it sees lead."""

    role: str
    views: dict[str, str] = field(default_factory=dict)


class Poller(Protocol):
    """Asks one instance. `abort` ends a pending question that must not be cancelled; None where it may be."""

    abort: Callable[[], None] | None

    async def ask(self) -> Answer:
        """One question; any exception means no answer, and the next question starts on a new connection."""

    async def close(self) -> None:
        """Drop what is connected."""


class VaultPoller:
    """`GET /v1/sys/leader`: leader, standby or sealed; one unauthenticated request gives role and view."""

    def __init__(self, spec: ObserverSpec, instance: Instance, scheme: str = "https") -> None:
        """`scheme` is https unless the listener has no TLS."""
        self.abort: Callable[[], None] | None = None
        self._spec, self._instance, self._scheme = spec, instance, scheme
        self._client: aiohttp.ClientSession | None = None

    async def ask(self) -> Answer:
        """200 names the leader, 503 says sealed."""
        if self._client is None:
            # Nodes are asked by address, which a certificate need not carry; nothing secret is sent.
            self._client = session(self._instance.address, unnamed_trust(self._spec.ca_file), limit=1)
        where = f"{self._scheme}://{self._instance.address}:{self._instance.port}/v1/sys/leader"
        async with self._client.get(where) as answer:
            body = json.loads(await answer.read())
        if answer.status == 503:
            return Answer("sealed")
        if answer.status != 200:
            raise ValueError(f"http-{answer.status}")
        leader = urlsplit(body.get("leader_address", "")).hostname or ""
        sees = self._spec.name_of(leader, ("vault",)) if leader else ""
        return Answer("leader" if body.get("is_self") else "standby", {"vault": sees})

    async def close(self) -> None:
        """Close the kept connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None


class HttpPoller:
    """One plain request on a kept connection; what identity and event relay have in common."""

    def __init__(self, spec: ObserverSpec, instance: Instance) -> None:
        """Plain HTTP, as the edge speaks to it."""
        self.abort: Callable[[], None] | None = None
        self._base = f"http://{instance.address}:{instance.port}"
        self._client: aiohttp.ClientSession | None = None
        del spec

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        if self._client is None:
            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
        async with self._client.get(self._base + path) as answer:
            return answer.status, await answer.read()

    async def close(self) -> None:
        """Close the kept connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None


class IdentityPoller(HttpPoller):
    """`GET /debug/ready`: ready, or `not ready` (412) while the database is away."""

    async def ask(self) -> Answer:
        """Any status is an answer."""
        status, _ = await self.get("/debug/ready")
        return Answer("ready" if status == 200 else "not ready")


class EventrelayPoller(HttpPoller):
    """`GET /status`: active, standby, consumer, or waiting while it has no database or no Redis."""

    async def ask(self) -> Answer:
        """ValueError or KeyError when it is no relay that answers."""
        _, body = await self.get("/status")
        return Answer(str(json.loads(body)["role"]))


class EdgePoller:
    """The edge is `serving` while it accepts a connection."""

    def __init__(self, spec: ObserverSpec, instance: Instance) -> None:
        """Only the port of `instance` is tried."""
        self.abort: Callable[[], None] | None = None
        self._address, self._port = instance.address, instance.port
        del spec

    async def ask(self) -> Answer:
        """OSError when it does not accept."""
        _, writer = await asyncio.open_connection(self._address, self._port)
        writer.close()
        return Answer("serving")

    async def close(self) -> None:
        """Nothing is kept."""


class SqlPoller:
    """One query on a kept connection; what PostgreSQL and PgPool have in common."""

    query = b""

    def __init__(self, spec: ObserverSpec, instance: Instance) -> None:
        """OSError when the password file cannot be read."""
        self.abort: Callable[[], None] | None = None
        self._spec = spec
        self._options = options(
            instance.address,
            instance.port,
            spec.postgresql_user,
            spec.postgresql_database,
            spec.postgresql_password_file,
        )
        self._link: Connection | None = None

    async def ask(self) -> Answer:
        """psycopg.Error when there is no answer."""
        if self._link is None:
            self._link = await psycopg.AsyncConnection.connect(**self._options, autocommit=True, prepare_threshold=None)
        link = self._link
        self.abort = lambda: cut(link)
        try:
            cursor = await link.execute(self.query)
            names = [column.name for column in cursor.description or []]
            return self.read([dict(zip(names, row, strict=True)) for row in await cursor.fetchall()])
        finally:
            self.abort = None

    def read(self, rows: list[dict[str, object]]) -> Answer:
        """What the rows say."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the kept connection."""
        if self._link is not None:
            await self._link.close()
            self._link = None


class PostgresqlPoller(SqlPoller):
    """`pg_is_in_recovery()`: primary or standby."""

    query = b"SELECT pg_is_in_recovery() AS standby"

    def read(self, rows: list[dict[str, object]]) -> Answer:
        """One row, one truth."""
        return Answer("standby" if rows[0]["standby"] else "primary")


class PgpoolPoller(SqlPoller):
    """`SHOW pool_nodes`: the node PgPool takes for the primary and holds to be up."""

    query = b"SHOW pool_nodes"

    def read(self, rows: list[dict[str, object]]) -> Answer:
        """No view when no node is both up and primary."""
        up = [row for row in rows if row["role"] == "primary" and row["status"] == "up"]
        sees = self._spec.name_of(str(up[0]["hostname"]), ("postgresql",)) if up else ""
        return Answer("serving", {"postgresql": sees})


class RedisPoller:
    """`ROLE`: master or replica, and whom a replica follows."""

    def __init__(self, spec: ObserverSpec, instance: Instance) -> None:
        """OSError when the password file cannot be read."""
        self.abort: Callable[[], None] | None = None
        self._spec, self._instance = spec, instance
        self._password = secret(spec.redis_password_file)
        self._link: RedisConnection | None = None

    async def ask(self) -> Answer:
        """RedisError or OSError when there is no answer."""
        reply = await command(await self.link(), "ROLE")
        if not isinstance(reply, list):
            raise ValueError(f"ROLE answered {type(reply).__name__}")
        if reply[0] == "master":
            return Answer("master", {f"set-{self._instance.ordinal + 1}": self._instance.name})
        sees = self._spec.name_of(str(reply[1]), ("redis",))
        return Answer("replica", {f"set-{self._instance.ordinal + 1}": sees})

    async def link(self) -> RedisConnection:
        """The kept connection, made if there is none."""
        if self._link is None:
            link = connection(self._instance.address, self._instance.port, self._password, self._spec.patience_ms / 1e3)
            await link.connect()
            self._link = link
        return self._link

    async def close(self) -> None:
        """Close the kept connection."""
        if self._link is not None:
            await self._link.disconnect(nowait=True)
            self._link = None


class SentinelPoller(RedisPoller):
    """Whom a Sentinel takes for the master of each set."""

    def __init__(self, spec: ObserverSpec, instance: Instance) -> None:
        """Sentinels may have no password."""
        super().__init__(spec, instance)
        self._password = secret(spec.sentinel_password_file) if spec.sentinel_password_file else ""

    async def ask(self) -> Answer:
        """One question a set; an unknown set is seen led by nobody."""
        link, views = await self.link(), {}
        for name in SETS:
            reply = await command(link, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
            views[name] = self._spec.name_of(str(reply[0]), ("redis",)) if isinstance(reply, list) else ""
        return Answer("sentinel", views)


POLLERS: dict[str, type[Poller]] = {
    "vault": VaultPoller,
    "identity": IdentityPoller,
    "edge": EdgePoller,
    "eventrelay": EventrelayPoller,
    "postgresql": PostgresqlPoller,
    "pgpool": PgpoolPoller,
    "redis": RedisPoller,
    "sentinel": SentinelPoller,
}
