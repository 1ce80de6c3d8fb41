"""Finds the master of a Redis set by asking the Sentinels, at a bounded rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from redis.asyncio import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chaosblink.targets import Instance
from chaosblink.workloads.attempt import Refused

ASK_EVERY_S = 0.05
"""Sentinels are asked at most this often for one set, so that a failing path does not become their load."""
ANSWER_WITHIN_S = 0.3
"""A Sentinel that is dead or frozen costs this much before the next one is asked."""


def connection(address: str, port: int, password: str, timeout_s: float) -> Connection:
    """One connection without redis-py's own retries, which would blur an outage and could write twice."""
    return Connection(
        host=address,
        port=port,
        password=password or None,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, 1.0),
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        protocol=2,
        driver_info=None,
    )


async def command(link: Connection, *words: str) -> object:
    """Send one command and read its reply; RedisError or OSError when the connection or the server refuses."""
    await link.send_command(*words)
    return await link.read_response()


class MasterOfSet:
    """Who is master of one set, as the first Sentinel that answers says; remembered until `doubt`."""

    def __init__(self, name: str, sentinels: Callable[[], list[Instance]], password: str) -> None:
        """`name` is the Sentinels' name of the set, `set-1`; `sentinels` tells where they are now."""
        self._name = name
        self._sentinels = sentinels
        self._password = password
        self._known: tuple[str, int] | None = None
        self._asked = 0.0
        self._asking = asyncio.Lock()
        self._links: dict[str, Connection] = {}
        self._silent: list[str] = []
        """Names of Sentinels that did not answer, the longest silent first."""

    def doubt(self) -> None:
        """The master failed an operation: ask again before the next one."""
        self._known = None

    async def find(self) -> tuple[str, int]:
        """Address and port of the master; Refused when no Sentinel tells (an operation was not sent then)."""
        async with self._asking:
            if self._known is None:
                await asyncio.sleep(max(0.0, self._asked + ASK_EVERY_S - time.monotonic()))
                self._asked = time.monotonic()
                self._known = await self._ask()
            if self._known is None:
                raise Refused("no-master")
            return self._known

    async def close(self) -> None:
        """Close the connections to the Sentinels."""
        for link in self._links.values():
            await link.disconnect(nowait=True)

    async def _ask(self) -> tuple[str, int] | None:
        for sentinel in sorted(self._sentinels(), key=self._turn):
            try:
                reply = await self._question(sentinel)
            except (RedisError, OSError):
                await self._forget(sentinel)
                continue
            if isinstance(reply, list) and len(reply) == 2:
                return str(reply[0]), int(reply[1])
        return None

    async def _question(self, sentinel: Instance) -> object:
        link = self._links.get(sentinel.name)
        if link is None:
            link = connection(sentinel.address, sentinel.port, self._password, ANSWER_WITHIN_S)
            self._links[sentinel.name] = link
            await link.connect()
        return await command(link, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)

    async def _forget(self, sentinel: Instance) -> None:
        """Close the link and ask this Sentinel last from now on."""
        link = self._links.pop(sentinel.name, None)
        if link is not None:
            await link.disconnect(nowait=True)
        self._silent = [*(name for name in self._silent if name != sentinel.name), sentinel.name]

    def _turn(self, sentinel: Instance) -> int:
        return self._silent.index(sentinel.name) if sentinel.name in self._silent else -1
