"""Servers for the whole session, emptied for each test, and relays and consumers on them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from eventrelay import connect
from eventrelay.consumer import Consumer
from eventrelay.delivery import Delivery
from eventrelay.lists import Lists
from eventrelay.relay import Relay
from eventrelay.settings import Settings
from eventrelay.source import Source
from eventrelay.status import Status
from relay_servers import LOOPBACK, Postgres, Redis


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[Postgres, Redis]]:
    home = Path(tempfile.mkdtemp(prefix="eventrelay-"))
    home.chmod(0o711)
    for name in ("postgres", "redis"):
        (home / name).mkdir(mode=0o700)
    postgres, redis = Postgres(home / "postgres"), Redis(home / "redis")
    try:
        redis.start()
        postgres.start()
        yield postgres, redis
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(home)


@pytest.fixture
def postgres(servers: tuple[Postgres, Redis]) -> Postgres:
    with servers[0].connect() as connection:
        connection.execute("TRUNCATE eventstore.events2")
        connection.execute("DROP TABLE IF EXISTS events_delivered, eventrelay_inbox")
    return servers[0]


@pytest.fixture
def redis(servers: tuple[Postgres, Redis]) -> Redis:
    client = servers[1].client()
    client.config_set("min-replicas-to-write", 0)
    client.flushall()
    return servers[1]


@pytest.fixture
def settings(postgres: Postgres, redis: Redis) -> Settings:
    """Those of the platform, but a batch is due at once."""
    return Settings(
        instance="eventrelay-0",
        address=LOOPBACK,
        port=1,
        database_host=LOOPBACK,
        database_port=postgres.port,
        database_name="zitadel",
        database_user="zitadel",
        redis_host=LOOPBACK,
        redis_port=redis.port,
        batch_size=100,
        batch_ms=1,
        poll_ms=10,
        lease_ms=300,
        ask_ms=50,
        deepest=50,
        clock_skew_ms=5000,
        database_password=postgres.password,
        redis_password=redis.password,
    )


@pytest.fixture
def make_relay(settings: Settings) -> Iterator[Callable[..., Relay]]:
    """Relays by name, with other settings where they are given; their connections end with the test."""
    sources: list[Source] = []

    def make(name: str = "eventrelay-0", **changes: Any) -> Relay:
        chosen = replace(settings, instance=name, **changes)
        sources.append(Source(partial(connect.postgresql, chosen)))
        return Relay(sources[-1], Lists(connect.redis(chosen)), Status(chosen), f"{name}@life")

    yield make
    for source in sources:
        source.reset()


@pytest.fixture
def make_delivery(settings: Settings) -> Iterator[Callable[..., Delivery]]:
    """Consumers by name that write into the same database as the event store."""
    opened: list[psycopg.Connection[Any]] = []

    def make(name: str = "eventconsumer-0", **changes: Any) -> Delivery:
        chosen = replace(settings, instance=name, **changes)

        def dial() -> connect.Connection:
            opened.append(connect.postgresql(chosen))
            return opened[-1]

        return Delivery(Consumer(connect.redis(chosen), name, chosen.lease_ms), dial, Status(chosen))

    yield make
    for connection in opened:
        connection.close()
