"""A client of the identity under Locust: one person's name and password, one connection, one way to send and judge."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gevent
import gevent.ssl
from geventhttpclient.client import HTTPClientPool
from locust import FastHttpUser
from locust.exception import StopTest

from chaosblink.workloads.login import Answer, LoginFailed, Person, Request, Tokens, login

NETWORK_TIMEOUT_S = 10.0
T = TypeVar("T")
_NUMBERS = itertools.count()


def setting(name: str, default: str = "") -> str:
    """A setting from the environment; StopTest says which one is missing."""
    value = os.environ.get(name, default)
    if not value:
        raise StopTest(f"set {name} (see the head of loadtests/locustfile.py)")
    return value


def secret(name: str, default: str = "") -> str:
    """The value in the file that an environment variable names."""
    return Path(setting(name, default)).read_text(encoding="utf-8").strip("\n")


class IdentityUser(FastHttpUser):
    """One person; FastHttpUser costs a third of the CPU of HttpUser."""

    abstract = True
    insecure = False
    max_retries = 0
    default_headers = {"Accept-Encoding": "identity"}  # noqa: RUF012 - Locust's own attribute
    scope = "openid profile email"

    def on_start(self) -> None:
        """Each greenlet takes the next seeded user."""
        number = next(_NUMBERS) % int(setting("LOGIN_USERS", "100"))
        name = f"user-{number}@{setting('LOGIN_USER_DOMAIN', 'blinkchamber.test')}"
        token = secret("LOGIN_CLIENT_TOKEN_FILE")
        self._person = Person(name, secret("LOGIN_PASSWORD_FILE"), token, scope=self.scope)
        self._context = gevent.ssl.create_default_context(cafile=setting("LOGIN_CA_FILE"))
        self._host = setting("LOGIN_HOST", "identity.blinkchamber.test")

    def _login(self) -> Tokens | None:
        """None when it failed; the step that failed has been reported as failed."""
        steps = login(self._person)
        request = next(steps)
        while True:
            with self._send(request) as verdict:
                try:
                    request = steps.send(_answer(verdict))
                    verdict.success()
                except StopIteration as done:
                    verdict.success()
                    tokens: Tokens = done.value
                    return tokens
                except LoginFailed as failure:
                    verdict.failure(_why(failure, request, verdict))
                    return None

    def _judged(self, request: Request, judge: Callable[[Answer], T]) -> T | None:
        """Send one request and let `judge` say what it gave; None when it refuses, which is reported as a failure."""
        with self._send(request) as verdict:
            try:
                found = judge(_answer(verdict))
                verdict.success()
                return found
            except LoginFailed as failure:
                verdict.failure(_why(failure, request, verdict))
                return None

    def _send(self, request: Request) -> Any:
        """A context manager: on leaving it, the request is reported with the verdict given inside, or its status."""
        return self.client.request(
            request.method,
            request.target,
            name=request.step,
            data=request.body.decode() or None,
            headers=request.headers,
            catch_response=True,
            allow_redirects=False,
            context={"start": time.monotonic_ns()},
        )

    def _new_browser(self) -> None:
        """Forget connection and cookies. The Host header also gives SNI and the name to check in the certificate."""
        agent = self.client.client
        agent.clientpool.close()
        agent.clientpool = HTTPClientPool(
            headers={"host": self._host},
            ssl_context_factory=lambda **_: self._context,
            connection_timeout=NETWORK_TIMEOUT_S,
            network_timeout=NETWORK_TIMEOUT_S,
            concurrency=1,
        )
        self.client.cookiejar.clear()

    def _think(self, mean_s: float) -> None:
        if mean_s:
            gevent.sleep(random.uniform(0.5, 1.5) * mean_s)


def _answer(verdict: Any) -> Answer:
    headers = {name.lower(): value for name, value in (verdict.headers or {}).items()}
    return Answer(verdict.status_code or 0, headers, verdict.content or b"")


def _why(failure: LoginFailed, request: Request, verdict: Any) -> str:
    """The step and what went wrong; without an answer, the kind of error in place of the status."""
    if verdict.status_code:
        return str(failure)
    return f"{request.step}:{type(verdict.request_meta['exception']).__name__}"
