"""The relay: one of two is active, reads the store behind its cursor and appends batches to the lists."""

from __future__ import annotations

import logging
import threading
import time
from decimal import Decimal

from redis.exceptions import RedisError

from eventrelay import metrics
from eventrelay.element import Event, pack
from eventrelay.lists import Lists
from eventrelay.source import DATABASE_ERRORS, START, Cursor, Horizon, Source, SourceError, list_of, one_line
from eventrelay.status import Status
from eventrelay.table import QUEUES

log = logging.getLogger("eventrelay")

AGAIN_AFTER_S = 0.25
"""Pause after a turn that failed (NOREPLICAS, no primary, a lost connection): each is tried again until it works."""


class Relay:
    """Turn by turn: hold the lease, look at the database, send what is due. Nothing is kept that a crash could lose."""

    def __init__(self, source: Source, lists: Lists, status: Status, holder: str) -> None:
        """`holder` names this life of the process: its successor under the same name takes the lease like any other."""
        self._source, self._lists, self._status, self._holder = source, lists, status, holder
        self._settings = status.settings
        self._cursor: Cursor | None = None
        self._held_at = float("-inf")
        self._latest = Decimal(0)
        self._full = ""

    def run(self, stopping: threading.Event) -> None:
        """Until `stopping` is set; then the lease is given back."""
        while not stopping.is_set():
            stopping.wait(self._guarded_turn())
        try:
            self._lists.release(self._holder)
        except (RedisError, OSError) as error:
            log.info("the lease is left to expire: %s", one_line(error))

    def turn(self) -> float:
        """One turn; seconds until the next is due. Any error means that nothing is known of what the turn did."""
        standby_for = self._stand_by()
        if standby_for:
            return standby_for
        horizon = self._source.horizon()
        metrics.HELD_BACK.set(float(horizon.now - horizon.below))
        if self._cursor is None:
            self._cursor = self._lists.cursor()
        sent_a_full_batch = self._on_its_clock(self._cursor, horizon) and self._send_what_is_due(self._cursor, horizon)
        self._status.good("active")
        return 0.0 if sent_a_full_batch else self._settings.poll_ms / 1000

    def _guarded_turn(self) -> float:
        try:
            return self.turn()
        except DATABASE_ERRORS as error:
            self._failed("postgresql", error)
        except (RedisError, OSError, ValueError) as error:
            self._failed("redis", error)
        return AGAIN_AFTER_S

    def _failed(self, of: str, error: Exception) -> None:
        """Forget everything: connections, and the cursor, since a push whose answer was lost may have happened."""
        self._status.failed(of, error)
        metrics.ACTIVE.set(0)
        self._cursor, self._held_at = None, float("-inf")
        self._source.reset()
        self._lists.reset()

    def _stand_by(self) -> float:
        """0 while the lease is ours, else seconds until it is worth asking again."""
        asked = time.monotonic()
        if asked - self._held_at < self._settings.lease_ms / 3000:
            return 0.0
        held = self._lists.hold(self._holder, self._settings.lease_ms)
        for queue, depth in held.depths.items():
            metrics.DEPTH.labels(queue).set(depth)
        mine = held.holder == self._holder
        metrics.ACTIVE.set(mine)
        if mine:
            if self._status.role != "active":
                log.info("active: the lease is ours")
                self._cursor = None
            self._held_at = asked
            return 0.0
        if self._status.role != "standby":
            log.info("standby: %s is active", held.holder.partition("@")[0])
        self._held_at, self._cursor = float("-inf"), None
        self._source.reset()
        for age in (metrics.LAG, metrics.HELD_BACK):  # what it saw as the active one would be told for ever
            age.set(0)
        self._status.good("standby")
        return min(self._settings.ask_ms, held.remaining_ms + 5) / 1000

    def _on_its_clock(self, cursor: Cursor, horizon: Horizon) -> bool:
        """Whether the cursor was written by the clock that counts now; one that was not is set back first."""
        latest, self._latest = self._latest, horizon.now
        if cursor == START:
            return True
        if horizon.timeline < cursor.timeline:
            raise SourceError(
                f"the database is on timeline {horizon.timeline} and the cursor on {cursor.timeline}: an old primary, "
                "or a restored database, whose events go out again once zitadel:events:cursor is deleted"
            )
        if horizon.timeline == cursor.timeline and horizon.now >= max(latest, cursor.position):
            return True
        earlier = cursor.set_back(horizon.timeline, horizon.now, Decimal(self._settings.clock_skew_ms) / 1000)
        log.warning("cursor %s set back to %s: another clock counts now", cursor, earlier)
        metrics.SET_BACK.inc()
        self._push(cursor, earlier, {})
        return False

    def _send_what_is_due(self, cursor: Cursor, horizon: Horizon) -> bool:
        """Send a full batch, or one whose oldest event has waited long enough; whether it was sent and was full."""
        settings = self._settings
        events = self._source.read(cursor, horizon, settings.batch_size)
        age = horizon.now - Decimal(events[0].position) if events else Decimal(0)
        metrics.LAG.set(float(age))
        full = len(events) >= settings.batch_size
        if not full and (not events or age * 1000 < settings.batch_ms):
            return False
        return self._send(cursor, events, horizon.timeline) and full

    def _send(self, cursor: Cursor, events: list[Event], timeline: int) -> bool:
        queues = {queue: [event for event in events if list_of(event) == queue] for queue in QUEUES}
        last = Cursor(timeline, Decimal(events[-1].position), events[-1].order)
        elements = {queue: _elements(mine, self._settings.batch_size) for queue, mine in queues.items()}
        if not self._push(cursor, last, elements):
            return False
        for queue, mine in queues.items():
            metrics.SENT.labels(queue).inc(len(mine))
            metrics.BATCHES.labels(queue).inc(len(elements[queue]))
        return True

    def _push(self, expected: Cursor, new: Cursor, elements: dict[str, list[bytes]]) -> bool:
        """Whether it was appended; where somebody else moved the cursor, it is read anew before the next attempt."""
        outcome, detail = self._lists.push(expected, new, elements, self._settings.deepest)
        full = detail if outcome == "full" else ""
        if full and full != self._full:
            log.warning("%s holds %d elements: the rest waits for a consumer", full, self._settings.deepest)
        self._full = full
        if outcome == "pushed":
            self._cursor = new
            return True
        metrics.REFUSED.labels(outcome).inc()
        if outcome == "moved":
            log.info("the cursor is %s and not %s: somebody else sent these", detail or "gone", expected)
            self._cursor, self._held_at = None, float("-inf")
        return False


def _elements(events: list[Event], size: int) -> list[bytes]:
    return [pack(events[start : start + size]) for start in range(0, len(events), size)]
