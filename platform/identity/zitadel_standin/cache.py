"""The Redis cache: a shortcut for reads only. Any error of it is a miss, and a breaker stops asking a dead one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from zitadel_standin import metrics
from zitadel_standin.settings import Settings

T = TypeVar("T")

DATABASE = 10
"""ZITADEL's `Caches.Connectors.Redis.DBOffset`."""
MAX_AGE = 3600
"""Seconds; ZITADEL's maximum age of an entry. An invalidation lost while Redis is away lasts this long at most."""
FAILURES_TO_OPEN = 5
"""Consecutive failures; ZITADEL's `CircuitBreaker.MaxConsecutiveFailures`."""


class Breaker:
    """Closed until 5 calls failed in a row; then open for `open_for` seconds; then one probe decides."""

    def __init__(self, open_for: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._open_for = open_for
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    def allows(self) -> bool:
        """Whether a call may go out now; the one probe of an open breaker counts as gone out."""
        if self._opened_at is None:
            return True
        if self._probing or self._clock() - self._opened_at < self._open_for:
            return False
        self._probing = True
        metrics.CACHE_BREAKER.set(1)  # half open still counts as open: no call but the probe goes out
        return True

    def succeeded(self) -> None:
        """A call came back well: the breaker is closed."""
        self._failures, self._opened_at, self._probing = 0, None, False
        metrics.CACHE_BREAKER.set(0)
        metrics.CACHE_BREAKER_OPEN.set(0)

    def failed(self) -> None:
        """A call failed: the fifth in a row, or a probe, opens the breaker for its whole time."""
        self._failures += 1
        if self._probing or self._failures >= FAILURES_TO_OPEN:
            self._opened_at, self._probing = self._clock(), False
            metrics.CACHE_BREAKER.set(2)
            metrics.CACHE_BREAKER_OPEN.set(1)


class Cache:
    """JSON objects in Redis under `zitadel:2:<kind>:<key>` (2 is their shape); never a secret, never the only copy.

    ZITADEL's client repeats a failed command three times; this one does not, because redis-py nests its retries of
    dialling and sending, and a black-holed Redis would hold a login for sixteen dials.
    """

    def __init__(self, settings: Settings) -> None:
        self._breaker = Breaker(settings.breaker_open)
        self._redis = redis.asyncio.Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            password=settings.redis_password,
            db=DATABASE,
            max_connections=20,
            socket_timeout=0.1,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )

    async def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The cached object; None for a miss, an error and an open breaker alike."""
        value = await self._guarded(lambda: self._redis.get(f"zitadel:2:{kind}:{key}"))
        if value is None:
            metrics.CACHE_REQUESTS.labels("miss").inc()
            return None
        metrics.CACHE_REQUESTS.labels("hit").inc()
        return msgspec.json.decode(value, type=dict[str, Any])

    async def put(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Cache an object for at most an hour."""
        encoded = msgspec.json.encode(value)
        await self._guarded(lambda: self._redis.set(f"zitadel:2:{kind}:{key}", encoded, ex=MAX_AGE))

    async def drop(self, kind: str, key: str) -> None:
        """Forget an object that changed."""
        await self._guarded(lambda: self._redis.delete(f"zitadel:2:{kind}:{key}"))

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def _guarded(self, call: Callable[[], Awaitable[T]]) -> T | None:
        if not self._breaker.allows():
            metrics.CACHE_REQUESTS.labels("breaker_open").inc()
            return None
        try:
            answer = await call()
        except (RedisError, OSError):
            metrics.CACHE_REQUESTS.labels("error").inc()
            self._breaker.failed()
            return None
        except BaseException:
            # A cancelled probe must not leave the breaker half open for ever.
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer
