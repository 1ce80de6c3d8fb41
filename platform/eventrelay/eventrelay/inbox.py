"""Removes duplicates: an event's id is committed in the consumer's own database, in the transaction of its work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eventrelay.connect import Connection
from eventrelay.element import Event

# `times` counts how often an event arrived: 1 is new, and more is the evidence of what was removed.
TABLE = """
CREATE TABLE IF NOT EXISTS eventrelay_inbox (
    id TEXT PRIMARY KEY, arrived_at TIMESTAMPTZ NOT NULL DEFAULT now(), times INTEGER NOT NULL DEFAULT 1
)
"""
# In order of id, so that two consumers with the same events wait for each other and never deadlock.
_ADMIT = """
INSERT INTO eventrelay_inbox (id) SELECT unnest(%s::text[]) ORDER BY 1
ON CONFLICT (id) DO UPDATE SET times = eventrelay_inbox.times + 1
RETURNING id, times
"""
_FORGET = "DELETE FROM eventrelay_inbox WHERE arrived_at < now() - make_interval(secs => %s)"

Work = Callable[[Connection, Sequence[Event]], None]
"""Does the work for new events with statements of the given connection, which is in a transaction."""


def deliver(connection: Connection, events: Sequence[Event], work: Work) -> list[Event]:
    """Do `work` for those events that arrive for the first time, in their order, and commit it with their ids.

    Returns the new ones. When anything raises, nothing of it happened, except that a commit whose answer was lost may
    have: deliver the same events again, and they are either new still or known.
    """
    wanted = {event.id: event for event in events}
    with connection.transaction():
        rows = connection.execute(_ADMIT, (list(wanted),)).fetchall()
        new = {identity for identity, times in rows if times == 1}
        fresh = [event for event in wanted.values() if event.id in new]
        if fresh:
            work(connection, fresh)
    return fresh


def forget(connection: Connection, older_than_s: float) -> int:
    """Drop ids that arrived long ago; how many. Keep them longer than an element may ever lie in Redis."""
    return connection.execute(_FORGET, (older_than_s,)).rowcount
