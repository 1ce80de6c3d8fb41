"""Writes events into ZITADEL's `eventstore.events2`, in the transaction of the change they tell of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from zitadel_standin.database import Connection

INSTANCE_ID = "310716990375453665"
"""The one virtual instance this stand-in is; ZITADEL's ids are decimal strings of 18 digits."""
ORGANISATION_ID = "310716990375519201"
"""Owner of every user, session and token."""

_PUSH = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at),
given AS (
    SELECT *
    FROM unnest(%(types)s::text[], %(ids)s::text[], %(events)s::text[], %(creators)s::text[], %(payloads)s::jsonb[])
         WITH ORDINALITY AS g (aggregate_type, aggregate_id, event_type, creator, payload, place)
)
INSERT INTO eventstore.events2
    (instance_id, aggregate_type, aggregate_id, event_type, "sequence", revision, created_at, payload, creator,
     "owner", "position", in_tx_order)
SELECT %(instance)s, g.aggregate_type, g.aggregate_id, g.event_type,
       coalesce(latest."sequence", 0)
           + row_number() OVER (PARTITION BY g.aggregate_type, g.aggregate_id ORDER BY place),
       1, clock.at, g.payload, g.creator, %(owner)s, extract(epoch FROM clock.at), g.place
FROM clock, given g
LEFT JOIN LATERAL (
    SELECT e."sequence" FROM eventstore.events2 e
    WHERE e.instance_id = %(instance)s AND e.aggregate_type = g.aggregate_type AND e.aggregate_id = g.aggregate_id
    ORDER BY e."sequence" DESC LIMIT 1
) latest ON true
RETURNING "sequence", created_at
"""
"""One clock reading for all events of a push, taken at the insert, as ZITADEL since its setup step 81 does.
So a transaction that commits late shows a position below what a reader may already have seen: readers hold back."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event to write; `creator` is the user who caused it."""

    aggregate_type: str
    aggregate_id: str
    event_type: str
    creator: str
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pushed:
    """Sequence and time of the last event of a push, for the `details` of an answer."""

    sequence: int
    at: datetime


async def push(connection: Connection, events: list[Event]) -> Pushed:
    """Write the events in their order; call it once a transaction, so that (position, in_tx_order) is unique in it."""
    parameters = {
        "instance": INSTANCE_ID,
        "owner": ORGANISATION_ID,
        "types": [event.aggregate_type for event in events],
        "ids": [event.aggregate_id for event in events],
        "events": [event.event_type for event in events],
        "creators": [event.creator for event in events],
        "payloads": [msgspec.json.encode(event.payload).decode() for event in events],
    }
    rows = await (await connection.execute(_PUSH, parameters)).fetchall()
    return Pushed(sequence=rows[-1]["sequence"], at=rows[-1]["created_at"])
