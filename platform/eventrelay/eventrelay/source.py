"""Reads ZITADEL's event store in order of position, and never past what an open transaction may still write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg

from eventrelay.connect import Connection
from eventrelay.element import Event
from eventrelay.table import classify

# A transaction's events carry a position taken after its start (xact_start). So whatever is not committed yet lies
# above the start of the oldest transaction that is open now; and a transaction that this look misses because it begins
# later writes positions above the look's own time, which the server took (statement_timestamp) before it looked. One
# that has just ended is seen whole by the next statement: a server process forgets xact_start only after its commit is
# visible. Sessions of other users are not shown to us; only ZITADEL's own user, which is also ours, writes the store.
# pg_current_wal_lsn fails on a standby: a reader that PgPool sent to a demoted primary gets an error and no old news.
_HORIZON = """
SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int,
       extract(epoch FROM statement_timestamp()),
       extract(epoch FROM least(statement_timestamp(), min(xact_start)))
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
"""

# WITH TIES: (position, in_tx_order) is unique only within one transaction, and a cursor between two equals would lose
# the second.
_READ = """
SELECT instance_id, aggregate_type, aggregate_id, event_type, "sequence", creator, "owner", created_at, "position",
       in_tx_order
FROM eventstore.events2
WHERE ("position", in_tx_order) > (%(position)s, %(order)s) AND "position" < %(horizon)s
ORDER BY "position", in_tx_order
FETCH FIRST %(limit)s ROWS WITH TIES
"""


class SourceError(Exception):
    """The store cannot be read in good order now; the message says why."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last event that was sent; `timeline` is that of the database server that told it (1 more each failover)."""

    timeline: int
    position: Decimal
    order: int

    def __str__(self) -> str:
        return f"{self.timeline}/{self.position}/{self.order}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of `str`; ValueError for anything else."""
        timeline, position, order = text.split("/")
        try:
            return cls(int(timeline), Decimal(position), int(order))
        except ArithmeticError:
            raise ValueError(f"{position!r} is no position") from None

    def set_back(self, timeline: int, now: Decimal, skew: Decimal) -> Cursor:
        """Where to go on when another server's clock counts, or the same one's went back: `skew` seconds earlier.

        What was committed since then has positions of the new clock, which may lie below this cursor by as much as the
        clocks differ. Some events are sent a second time for it.
        """
        return Cursor(timeline, max(Decimal(0), min(self.position, now) - skew), 0)


START = Cursor(0, Decimal(0), 0)
"""Before the first event of the store; no server has timeline 0."""


class Horizon(NamedTuple):
    """One look at the server: its timeline, its clock, and the position below which nothing new can appear."""

    timeline: int
    now: Decimal
    below: Decimal


class Source:
    """Reads over one connection, dialled when it is first needed and dropped with `reset`."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def horizon(self) -> Horizon:
        """Ask before `read`, in a statement of its own. psycopg.Error when no primary answers."""
        row = self._live().execute(_HORIZON).fetchone()
        if row is None:
            raise SourceError("the server did not tell its clock")
        return Horizon(*row)

    def read(self, after: Cursor, horizon: Horizon, limit: int) -> list[Event]:
        """Events after the cursor and below the horizon, in order: at most `limit`, more only if the last are equal."""
        asked = {"position": after.position, "order": after.order, "horizon": horizon.below, "limit": limit}
        rows = self._live().execute(_READ, asked).fetchall()
        return sorted(map(_event, rows), key=place)

    def reset(self) -> None:
        """Drop the connection; the next question dials anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _live(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection


def place(event: Event) -> tuple[Decimal, int, str]:
    """The order of the store; events of the same moment and place in two transactions are told apart by their id."""
    return Decimal(event.position), event.order, event.id


def list_of(event: Event) -> str:
    """The list an event goes to."""
    return classify(event.type)[0]


def _event(row: tuple[Any, ...]) -> Event:
    instance, aggregate, identity, kind, sequence, creator, owner, created_at, position, order = row
    key = f"{instance}/{aggregate}/{identity}/{sequence}"
    name = classify(kind)[1]
    at = created_at.isoformat()
    return Event(key, name, kind, aggregate, identity, sequence, creator, owner, at, str(position), order)


def one_line(error: BaseException) -> str:
    """An error on one line; neither psycopg nor redis-py puts a password into its messages."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


DATABASE_ERRORS = (psycopg.Error, SourceError)
