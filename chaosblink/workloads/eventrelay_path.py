"""Causes an event through ZITADEL's public contract and waits until a consumer has it: how late do events arrive?"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import aiohttp
import psycopg

from chaosblink.history import Outcome
from chaosblink.workloads.attempt import Attempt
from chaosblink.workloads.https import session, trust
from chaosblink.workloads.login import LoginFailed
from chaosblink.workloads.login_path import people
from chaosblink.workloads.postgresql_path import options
from chaosblink.workloads.spec import PathSpec, Spec

LOOK_EVERY_S = 0.1
"""How often the consumer's table is asked for what is awaited: the resolution of an arrival."""
ARRIVED = b"SELECT aggregate_id FROM events_delivered WHERE aggregate_id = ANY(%s) AND name = 'auth.logout'"
WAITING = "delivery"
"""The step in which the event is certainly written; a reason that begins with it is the relay's or the consumer's."""


class EventrelayPath:
    """`eventrelay/persistent`: a session is opened and ended, which writes `session.terminated`, an `auth.logout`."""

    op = "deliver"

    def __init__(self, spec: Spec, path: PathSpec) -> None:
        """ValueError when the spec lacks a route to the identity or to the consumer's database."""
        if spec.login is None or spec.postgresql is None:
            raise ValueError(f"{path.path} needs a login and a postgresql route")
        self._login, self._limit = spec.login, path.connections
        self._people = itertools.cycle(people(spec.login))
        self._context = trust(spec.login.ca_file)
        route = spec.postgresql
        self._options = options(route.address, route.port, route.user, route.database, route.password_file)
        self._client: aiohttp.ClientSession | None = None
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Nothing to prepare: whoever operates first starts the look-out."""

    async def operate(self, attempt: Attempt) -> None:
        """Cause one event and return when it was delivered."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        attempt.sent = True
        identity = await self._cause(attempt)
        attempt.step = WAITING
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited[identity] = arrived
        try:
            await arrived
        finally:
            self._awaited.pop(identity, None)

    async def close(self) -> None:
        """Stop looking and close the kept connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        """Never certain: an event may be written though its request failed, and arrive after the deadline."""
        step = attempt.step or "session"
        if isinstance(error, LoginFailed):
            return "unknown", str(error)
        return "unknown", f"{step}:{'deadline' if isinstance(error, TimeoutError) else type(error).__name__}"

    async def _cause(self, attempt: Attempt) -> str:
        person = next(self._people)
        headers = {"authorization": f"Bearer {person.login_client_token}"}
        user = {"checks": {"user": {"loginName": person.login_name}}}
        attempt.step = "session"
        identity = str((await self._call("POST", "/v2/sessions", headers, user))["sessionId"])
        attempt.step = "logout"
        await self._call("DELETE", f"/v2/sessions/{identity}", headers, {})
        return identity

    async def _call(self, method: str, target: str, headers: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if self._client is None:
            self._client = session(self._login.address, self._context, limit=self._limit)
        address = f"https://{self._login.host}:{self._login.port}{target}"
        async with self._client.request(method, address, headers=headers, json=body) as answer:
            if answer.status >= 300:
                raise LoginFailed(f"{'session' if method == 'POST' else 'logout'}:{answer.status}")
            told: dict[str, Any] = await answer.json()
            return told

    async def _look(self) -> None:
        """For ever: one question for all that is awaited, over one connection that is dialled anew when it breaks."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                async with await psycopg.AsyncConnection.connect(
                    **self._options, autocommit=True, prepare_threshold=None
                ) as connection:
                    await self._look_with(connection)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look_with(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            if self._awaited:
                cursor = await connection.execute(ARRIVED, (list(self._awaited),))
                for (identity,) in await cursor.fetchall():
                    if (arrived := self._awaited.get(identity)) and not arrived.done():
                        arrived.set_result(None)
            await asyncio.sleep(LOOK_EVERY_S)
