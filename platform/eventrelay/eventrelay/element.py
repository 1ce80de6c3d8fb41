"""One element of a list: a batch of events, as JSON, compressed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

VERSION = 1
LARGEST = 16 * 2**20
"""Bytes an element may have when unpacked; a batch of 100 events has about 40 kB."""


class ElementError(ValueError):
    """Bytes that are no batch of this format."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as consumers get it.

    `id` is the event's primary key in ZITADEL's event store and never changes: the key for removing duplicates.
    The payload stays in ZITADEL: it holds password hashes and personal data, which do not belong into a queue.
    """

    id: str
    name: str
    """The owner's name (`auth.login`); ZITADEL's own type where the table has none."""
    type: str
    aggregate_type: str
    aggregate_id: str
    sequence: int
    creator: str
    owner: str
    created_at: str
    """ISO 8601, the database's clock."""
    position: str
    """ZITADEL's position (seconds of the database's clock, a decimal number) and the place within the transaction."""
    order: int


def pack(events: Sequence[Event]) -> bytes:
    """The element that holds these events in their order."""
    content = {"version": VERSION, "events": [asdict(event) for event in events]}
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode())


def unpack(element: bytes) -> list[Event]:
    """The events of an element in their order; ElementError for anything else."""
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(element, LARGEST)
        if not unpacking.eof or unpacking.unused_data:
            raise ElementError("cut short, too large, or followed by something else")
        content = json.loads(text)
        if content["version"] != VERSION:
            raise ElementError(f"version {content['version']}, known is {VERSION}")
        return [Event(**event) for event in content["events"]]
    except (zlib.error, ValueError, TypeError, KeyError) as error:
        raise ElementError(f"not a batch of events: {error}") from None
