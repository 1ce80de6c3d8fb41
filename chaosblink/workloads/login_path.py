"""Logs a person in, completely and on a fresh TLS connection, five times a second."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Iterator

import aiohttp

from chaosblink.history import Outcome
from chaosblink.workloads.addresses import turns
from chaosblink.workloads.attempt import Attempt
from chaosblink.workloads.https import session, trust
from chaosblink.workloads.login import Answer, LoginFailed, Person, Request, Tokens, login
from chaosblink.workloads.spec import LoginRoute, PathSpec, Spec, secret


class LoginPath:
    """`login`: one person after the other, in turn through all users."""

    op = "login"

    def __init__(self, spec: Spec, path: PathSpec) -> None:
        """ValueError when the spec has no route to the identity."""
        if spec.login is None:
            raise ValueError(f"{path.path} needs a login route")
        self._route = spec.login
        self._context, self._turns = trust(spec.login.ca_file), turns(spec.login.address)
        self._people = itertools.cycle(people(spec.login))

    async def open(self) -> None:
        """Nothing to prepare: a login brings everything itself."""

    async def operate(self, attempt: Attempt) -> None:
        """One whole login; LoginFailed names the step."""
        attempt.sent = True
        await log_in(self._route, self._turns, self._context, next(self._people), attempt)

    async def close(self) -> None:
        """Nothing is kept."""

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        """Every login that did not end within its deadline failed: there is nothing that could appear later."""
        step = attempt.step or "connect"
        if isinstance(error, LoginFailed):
            return "fail", str(error)
        if isinstance(error, TimeoutError):
            return "fail", f"{step}:deadline"
        if isinstance(error, aiohttp.ClientConnectorError):
            return "fail", f"{step}:{'refused' if isinstance(error.os_error, ConnectionRefusedError) else 'connect'}"
        if isinstance(error, aiohttp.ClientError | OSError):
            return "fail", f"{step}:connection-lost"
        return "fail", f"{step}:{type(error).__name__}"


def people(route: LoginRoute) -> list[Person]:
    """All users of a route; OSError when a secret file cannot be read."""
    password, token = secret(route.password_file), secret(route.login_client_token_file)
    names = (f"user-{number}@{route.user_domain}" for number in range(route.users))
    return [Person(name, password, token, route.client_id, route.redirect_uri) for name in names]


async def log_in(
    route: LoginRoute, edges: Iterator[list[str]], context: ssl.SSLContext, person: Person, attempt: Attempt
) -> Tokens:
    """Drive one login over one new connection; LoginFailed or an aiohttp error, with the step in `attempt`.

    A connection that ends between two requests is dialled anew, as a browser does: the next edge may take it.
    """
    async with session(edges, context, limit=1) as client:
        steps = login(person)
        request = next(steps)
        while True:
            attempt.step = request.step
            answer = await _send(client, route, request)
            attempt.server = answer.headers.get("x-served-by", "")
            try:
                request = steps.send(answer)
            except StopIteration as done:
                tokens: Tokens = done.value
                return tokens


def login_once(route: LoginRoute, within_s: float = 5.0) -> Tokens:
    """One login of the first user, for a probe. LoginFailed, aiohttp.ClientError, OSError or TimeoutError."""

    async def bounded() -> Tokens:
        async with asyncio.timeout(within_s):
            attempt = Attempt("probe", 0, 0, within_s)
            return await log_in(route, turns(route.address), trust(route.ca_file), people(route)[0], attempt)

    return asyncio.run(bounded())


async def _send(client: aiohttp.ClientSession, route: LoginRoute, request: Request) -> Answer:
    address = f"https://{route.host}:{route.port}{request.target}"
    async with client.request(
        request.method, address, headers=request.headers, data=request.body or None, allow_redirects=False
    ) as answer:
        body = await answer.read()
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)
