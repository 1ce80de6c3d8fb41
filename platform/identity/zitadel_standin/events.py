"""Writes events into ZITADEL's `eventstore.events2`, in the very statement that makes the change they tell of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

INSTANCE_ID = "310716990375453665"
"""The one virtual instance this stand-in is; ZITADEL's ids are decimal strings of 18 digits."""
ORGANISATION_ID = "310716990375519201"
"""Owner of every user, session and token."""

_TELLING = """
WITH {change},
clock AS MATERIALIZED (SELECT clock_timestamp() AS at),
given AS (
    SELECT g.*, changed.creator
    FROM changed,
         unnest(%(aggregate_types)s::text[], %(aggregate_ids)s::text[], %(event_types)s::text[], %(payloads)s::jsonb[])
         WITH ORDINALITY AS g (aggregate_type, aggregate_id, event_type, payload, place)
),
pushed AS (
    INSERT INTO eventstore.events2
        (instance_id, aggregate_type, aggregate_id, event_type, "sequence", revision, created_at, payload, creator,
         "owner", "position", in_tx_order)
    SELECT %(instance)s, g.aggregate_type, g.aggregate_id, g.event_type,
           coalesce(latest."sequence", 0)
               + row_number() OVER (PARTITION BY g.aggregate_type, g.aggregate_id ORDER BY g.place),
           1, clock.at, g.payload, g.creator, %(owner)s, extract(epoch FROM clock.at), g.place
    FROM clock, given g
    LEFT JOIN LATERAL (
        SELECT e."sequence" FROM eventstore.events2 e
        WHERE e.instance_id = %(instance)s AND e.aggregate_type = g.aggregate_type AND e.aggregate_id = g.aggregate_id
        ORDER BY e."sequence" DESC LIMIT 1
    ) latest ON true
    RETURNING "sequence", in_tx_order
)
SELECT changed.*, clock.at AS told_at, told."sequence" AS told_sequence
FROM changed, clock, (SELECT "sequence" FROM pushed ORDER BY in_tx_order DESC LIMIT 1) AS told
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One event to write."""

    aggregate_type: str
    aggregate_id: str
    event_type: str
    payload: dict[str, Any] = field(default_factory=dict)


def telling(change: str) -> str:
    """A statement that makes a change and writes its events, both or neither, in one round trip to the database.

    `change` is a list of common table expressions. The last is named `changed` and gives one row, with a column
    `creator` (who caused the events), or none, and then nothing is told. The answer is that row, with `told_at` and
    `told_sequence` of the last event. Write it once a transaction: (position, in_tx_order) is unique only within it.

    All events carry one clock reading taken at the insert, as ZITADEL's do since its setup step 81. So a transaction
    that commits late shows a position below what a reader may already have seen: readers must hold back.
    """
    return _TELLING.format(change=change)


JUST_TELL = telling("changed AS (SELECT %(creator)s::text AS creator)")
"""Events of a change made by other statements of the same transaction, or of no change at all."""


def parameters(told: list[Event]) -> dict[str, Any]:
    """What a `telling` statement needs beside its change's own parameters; at least one event."""
    return {
        "instance": INSTANCE_ID,
        "owner": ORGANISATION_ID,
        "aggregate_types": [event.aggregate_type for event in told],
        "aggregate_ids": [event.aggregate_id for event in told],
        "event_types": [event.event_type for event in told],
        "payloads": [msgspec.json.encode(event.payload).decode() for event in told],
    }
