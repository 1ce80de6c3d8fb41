"""What proves a failure, and what does not: one row a case."""

from __future__ import annotations

import aiohttp
import psycopg
import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    ExecAbortError,
    ReadOnlyError,
    ResponseError,
)

from chaosblink.workloads.attempt import Attempt, judge
from chaosblink.workloads.certain import postgresql, redis, vault

LOST = psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly")


def attempt(sent: bool) -> Attempt:
    """An operation that was sent or not."""
    return Attempt("x", 0, 0, 1.0, sent=sent)


def outcome(protocol: object, error: BaseException, sent: bool) -> tuple[str, str]:
    """The verdict of a protocol's list on an error."""
    return judge(error, attempt(sent), protocol.is_certain(error), protocol.reason(error))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "sent", "expected"),
    [
        (psycopg.errors.SerializationFailure("x"), True, ("fail", "40001")),
        (psycopg.errors.ReadOnlySqlTransaction("x"), True, ("fail", "25006")),
        (psycopg.errors.CannotConnectNow("x"), True, ("fail", "57P03")),
        (psycopg.errors.TooManyConnections("x"), True, ("fail", "53300")),
        (psycopg.errors.UndefinedTable("x"), True, ("fail", "42P01")),
        (psycopg.errors.AdminShutdown("x"), True, ("unknown", "57P01")),
        (psycopg.errors.CrashShutdown("x"), True, ("unknown", "57P02")),
        (psycopg.errors.QueryCanceled("x"), True, ("unknown", "57014")),
        (psycopg.errors.SystemError("x"), True, ("unknown", "58000")),
        (psycopg.errors.TransactionResolutionUnknown("x"), True, ("unknown", "08007")),
        (LOST, True, ("unknown", "connection-lost")),
        (LOST, False, ("fail", "connection-lost")),
        (psycopg.OperationalError("connection failed: Connection refused"), False, ("fail", "refused")),
        (psycopg.OperationalError("FATAL:  the database system is starting up"), False, ("fail", "57P03")),
        (psycopg.OperationalError("FATAL:  sorry, too many clients already"), False, ("fail", "53300")),
        (TimeoutError(), True, ("unknown", "deadline")),
        (TimeoutError(), False, ("fail", "deadline-before-sending")),
    ],
)
def test_postgresql(error: BaseException, sent: bool, expected: tuple[str, str]) -> None:
    assert outcome(postgresql, error, sent) == expected


@pytest.mark.parametrize(
    ("error", "sent", "expected"),
    [
        (ReadOnlyError("You can't write against a read only replica."), True, ("fail", "READONLY")),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True, ("fail", "NOREPLICAS")),
        (BusyLoadingError("Redis is loading the dataset in memory"), True, ("fail", "LOADING")),
        (ResponseError("MASTERDOWN Link with MASTER is down"), True, ("fail", "MASTERDOWN")),
        (ResponseError("CLUSTERDOWN The cluster is down"), True, ("fail", "CLUSTERDOWN")),
        (ExecAbortError("Transaction discarded"), True, ("fail", "EXECABORT")),
        (AuthenticationError("invalid username-password pair"), False, ("fail", "WRONGPASS")),
        (ResponseError("ERR something else"), True, ("unknown", "ERR")),
        (ConnectionError("Connection closed by server."), True, ("unknown", "connection-lost")),
        (ConnectionError("Error 111 connecting: Connection refused."), False, ("fail", "refused")),
        (TimeoutError(), True, ("unknown", "deadline")),
    ],
)
def test_redis(error: BaseException, sent: bool, expected: tuple[str, str]) -> None:
    assert outcome(redis, error, sent) == expected


@pytest.mark.parametrize(
    ("error", "sent", "expected"),
    [
        (vault.Answered(403), True, ("fail", "http-403")),
        (vault.Answered(429), True, ("fail", "http-429")),
        (vault.Answered(500), True, ("unknown", "http-500")),
        (vault.Answered(502), True, ("unknown", "http-502")),
        (vault.Answered(503), True, ("unknown", "http-503")),
        (vault.Answered(307), True, ("unknown", "http-307")),
        (aiohttp.ServerDisconnectedError(), True, ("unknown", "connection-lost")),
        (ConnectionResetError(), False, ("fail", "connection-lost")),
        (TimeoutError(), True, ("unknown", "deadline")),
        (TimeoutError(), False, ("fail", "deadline-before-sending")),
    ],
)
def test_vault(error: BaseException, sent: bool, expected: tuple[str, str]) -> None:
    assert outcome(vault, error, sent) == expected
