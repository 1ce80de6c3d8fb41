"""Kept connections of a persistent path: take an idle one, else open another up to a bound, else wait in line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

C = TypeVar("C")


class Kept(Generic[C]):
    """At most `limit` connections.

    An operation that finds none idle and the bound reached waits in line. If its deadline comes first it was never
    sent: the prober records it as a certain failure (`deadline-before-sending`), just as a person's request fails when
    an application's pool is exhausted by requests that hang.
    """

    def __init__(self, connect: Callable[[], Awaitable[C]], limit: int) -> None:
        """`connect` opens one connection or raises."""
        self._connect = connect
        self._idle: list[C] = []
        self._free = limit
        self._line: deque[asyncio.Future[None]] = deque()

    async def take(self) -> C:
        """A connection for one operation; give it back with `give` or report its end with `drop`."""
        while not self._idle and not self._free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._line.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._next()
                raise
        if self._idle:
            return self._idle.pop()
        self._free -= 1
        try:
            return await self._connect()
        except BaseException:
            self.drop()
            raise

    def give(self, connection: C) -> None:
        """Return a sound connection."""
        self._idle.append(connection)
        self._next()

    def drop(self) -> None:
        """Make room for a new connection in place of a broken one (which the caller closes)."""
        self._free += 1
        self._next()

    def idle(self) -> list[C]:
        """Take out every idle connection, to close it."""
        out, self._idle = self._idle, []
        self._free += len(out)
        return out

    def _next(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
