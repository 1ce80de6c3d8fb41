"""Connections to PostgreSQL and Redis that notice a dead peer and never repeat anything by themselves."""

from __future__ import annotations

from typing import Any

import psycopg
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from eventrelay.settings import Settings

REDIS_DATABASE = 1
"""The owner's `zitadel.config.events.redis.database`."""
Connection = psycopg.Connection[tuple[Any, ...]]


def postgresql(settings: Settings) -> Connection:
    """A connection in autocommit mode; psycopg.Error when there is none within 2 s."""
    return psycopg.connect(
        host=settings.database_host,
        port=settings.database_port,
        dbname=settings.database_name,
        user=settings.database_user,
        password=settings.database_password,
        application_name=f"eventrelay/{settings.instance}",
        connect_timeout=2,
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=3,
        tcp_user_timeout=5000,
        options="-c statement_timeout=10000",
        autocommit=True,
        # the way leads through PgPool, behind which the next statement may meet another server process
        prepare_threshold=None,
    )


def redis(settings: Settings) -> Redis:
    """A client that dials when it is first used; redis.RedisError when the master does not answer within 2 s."""
    return Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password,
        db=REDIS_DATABASE,
        socket_connect_timeout=1,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
