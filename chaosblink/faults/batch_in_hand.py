"""Holds a consumer of events in the middle of a batch, so that a kill hits it there and not between two batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from redis.exceptions import RedisError

from chaosblink import components
from chaosblink.faults.timeline import mark
from chaosblink.targets import PlatformError, Target
from chaosblink.waiting import until

WITHIN_S = 10.0
"""Events come several times a second while there is load; without any there is no batch to be in the middle of."""
# Readers go on; whoever writes waits, with the ids of its batch already written and not committed.
HOLD = "LOCK TABLE events_delivered IN EXCLUSIVE MODE"
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'events_delivered'::regclass"
IN_HAND = tuple(f"zitadel:events:{queue}:processing" for queue in ("high", "normal", "low"))
EVENTS_DATABASE = 1


@contextmanager
def batch_in_hand(target: Target) -> Iterator[None]:
    """Inside, the consumer has a batch in hand that it cannot finish; it can as soon as this is left, however it is.

    Timeout when no batch came; PlatformError when at the end no batch is in hand, so that nothing was interrupted.
    """
    try:
        with components.of(target, "postgresql").client() as held, held.transaction():
            held.execute(HOLD)
            until(lambda: _waiting(held), WITHIN_S, "the consumer is in the middle of a batch", every=0.05)
            yield
            if not _in_hand(target):
                raise PlatformError("no batch lies in a processing list: the fault did not hit the consumer mid-batch")
            mark("mark", {"text": "hit in the middle of a batch: it lies in its processing list, its work uncommitted"})
    except (psycopg.Error, RedisError) as error:
        raise PlatformError(f"the consumer could not be held mid-batch: {' '.join(str(error).split())}") from None


def _waiting(held: psycopg.Connection[Any]) -> bool:
    row = held.execute(WAITS).fetchone()
    return bool(row and row[0])


def _in_hand(target: Target) -> int:
    with components.of(target, "redis").client() as asked:
        asked.execute_command("SELECT", EVENTS_DATABASE)
        return sum(int(asked.llen(key)) for key in IN_HAND)
