"""Certain failures of an autocommit INSERT: errors that PostgreSQL raises before a transaction can commit."""

from __future__ import annotations

import re

import psycopg

STATES = {
    "40001": "serialization failure: the transaction was rolled back",
    "40P01": "deadlock: the transaction was rolled back",
    "25006": "read-only transaction: a standby (or a primary being fenced) took no write",
    "57P03": "cannot connect now: the server is starting, stopping or recovering",
    "53300": "too many connections: refused before a session began",
    "28P01": "wrong password: refused before a session began",
    "28000": "not authorised to connect: refused before a session began",
    "3D000": "no such database: refused before a session began",
    "42P01": "no such table: refused by the parser",
    "42501": "no privilege: refused by the executor before a row was written",
    "53100": "disk full: the statement was rolled back",
    "53200": "out of memory: the statement was rolled back",
}
"""SQLSTATE and why it proves that nothing was committed (PostgreSQL manual, appendix A, and the severity ERROR).

Not here on purpose: 57P01 and 57P02 (a session ended while it waited for a standby has committed locally), class 08
and PgPool's own 58000 (the answer to a COMMIT may be what was lost), 57014 (seen after a cancelled wait).
"""

_REFUSALS = {
    "refused": re.compile(r"Connection refused"),
    "unreachable": re.compile(r"No route to host|Network is unreachable|Host is unreachable"),
    "connect-timeout": re.compile(r"timeout expired|timed out"),
    "57P03": re.compile(r"starting up|shutting down|in recovery mode|not yet accepting|not accepting connections"),
    "53300": re.compile(r"too many clients|remaining connection slots|too many connections"),
    "28P01": re.compile(r"authentication failed"),
    "connection-lost": re.compile(
        r"server closed the connection|reset by peer|Broken pipe|connection is (lost|closed)"
    ),
}


def is_certain(error: BaseException) -> bool:
    """Whether an error proves that the INSERT it answers was not and will not be committed."""
    return isinstance(error, psycopg.Error) and error.sqlstate in STATES


def reason(error: BaseException) -> str:
    """A short name: the SQLSTATE, or what libpq's message says about the connection."""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return str(error.sqlstate)
    if isinstance(error, TimeoutError):
        return "deadline"
    text = str(error)
    for name, pattern in _REFUSALS.items():
        if pattern.search(text):
            return name
    return f"{type(error).__name__}: {text.strip().splitlines()[-1][:80] if text.strip() else ''}"
