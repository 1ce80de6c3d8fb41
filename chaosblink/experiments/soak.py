"""Very many events through a run of kills: written as ZITADEL writes them, delivered by the event relay and a consumer.

The kills follow each other while events are written all the time; each waits until the platform is redundant again.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from chaosblink import components
from chaosblink.checkers.rounds import Round
from chaosblink.experiments import specs
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import rollback
from chaosblink.targets import Target
from chaosblink.waiting import until
from chaosblink.workloads.final_events import read_both_sides
from chaosblink.workloads.postgresql_path import options
from chaosblink.workloads.spec import EventsRoute, PostgresqlRoute

Progress = Callable[[str], None]

KILLS = (
    "eventrelay/active",
    "eventrelay/consumer",
    "redis/master@1",
    "postgresql/primary",
    "eventrelay/active",
    "pgpool/any",
    "redis/master@1",
    "eventrelay/consumer",
)
BATCH = 100
KILL_TAKES_S = 12.0
"""Seconds from one kill to the next, roughly: the events are spread over as many."""
WHOLE_WITHIN_S = 90.0
DELIVERED_WITHIN_S = 180.0
KINDS = ("session.terminated", "user.human.added", "session.token.set")
"""One type of each class; the table of the relay maps them to the high, normal and low list."""

# All events of a transaction carry one clock reading, as ZITADEL's do. Written again after a lost answer, a batch that
# is there already stays as it is.
WRITE = b"""
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at)
INSERT INTO eventstore.events2
SELECT 'soak', 'soak', told.id, told.kind, 1, 1, clock.at, '{}', 'chaosblink', 'soak', extract(epoch FROM clock.at),
       told.place
FROM clock, unnest(%s::text[], %s::text[]) WITH ORDINALITY AS told (id, kind, place)
ON CONFLICT DO NOTHING
"""


@dataclass
class Soaked:
    """What came of it: the two sides as checkers want them, how many events were written, by which kills, how long."""

    recorded: Round
    written: int = 0
    kills: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Writer:
    """Writes the events in batches at an even pace in a thread; what fails is written again until it is there."""

    def __init__(self, route: EventsRoute, run: str, events: int, seconds: float) -> None:
        self._options: dict[str, Any] = options(
            route.address, route.port, route.user, route.database, route.password_file
        )
        self._run, self._events, self._seconds = run, events, seconds
        self._stopping = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self.written = 0
        self._thread = threading.Thread(target=self._write, name="events")

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def finished(self) -> bool:
        """Whether every event is in the store."""
        return self.written >= self._events

    def _write(self) -> None:
        began = time.monotonic()
        while not self.finished and not self._stopping.is_set():
            numbers = range(self.written, min(self.written + BATCH, self._events))
            if self._batch([f"{self._run}-{n}" for n in numbers], [KINDS[n % len(KINDS)] for n in numbers]):
                self.written += len(numbers)
                self._stopping.wait(began + self.written / self._events * self._seconds - time.monotonic())
            else:
                self._stopping.wait(0.2)
        if self._connection is not None:
            self._connection.close()

    def _batch(self, ids: list[str], kinds: list[str]) -> bool:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(**self._options, autocommit=True, prepare_threshold=None)
            self._connection.execute(WRITE, (ids, kinds))
        except (psycopg.Error, OSError):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return False
        return True


def soak(target: Target, events: int, seed: int, progress: Progress) -> Soaked:
    """Send `events` events through all kills, in an order drawn from `seed`; PlatformError when it is in use.

    When all kills are done and events are left, they are done once more, and so on.
    """
    with target.hold():
        try:
            return _soak(target, events, seed, progress)
        finally:
            rollback(target)


def _soak(target: Target, events: int, seed: int, progress: Progress) -> Soaked:
    kills = list(KILLS)
    random.Random(seed).shuffle(kills)
    began, store = time.monotonic(), specs.events_route(target, time.time())
    found = Soaked(Round("soak", 1, Path(), {"component": "eventrelay"}))
    with Writer(store, f"{time.time_ns():x}", events, KILL_TAKES_S * len(kills)) as writer:
        for number, victim in enumerate(itertools.cycle(kills)):
            if writer.finished and number >= len(kills):
                break
            found.kills.append(_kill(target, victim, seed + number, writer, progress))
        until(lambda: writer.finished, WHOLE_WITHIN_S, f"{events} events are written", every=0.5)
    found.written = writer.written
    progress(f"{found.written} events written; waiting for the last to be delivered")
    address, port = target.endpoint("postgresql")
    consumer = PostgresqlRoute(address, port, str(target.secret_file("chaos-password")))
    found.recorded.event_reads = read_both_sides(store, consumer, DELIVERED_WITHIN_S)
    found.seconds = time.monotonic() - began
    return found


def _kill(target: Target, victim: str, seed: int, writer: Writer, progress: Progress) -> str:
    effect = inject(target, "kill", victim, ttl=WHOLE_WITHIN_S, seed=seed)
    names = ", ".join(hit.instance for hit in effect.victims)
    took = _whole_again(target, victim.partition("/")[0])
    rollback(target)
    progress(f"{victim} ({names}) killed, whole again after {took:.1f} s, {writer.written} events written")
    return f"{victim} ({names})"


def _whole_again(target: Target, killed: str) -> float:
    """Seconds until the killed component and the event relay are redundant; Timeout after 90 s."""
    began = time.monotonic()
    for name in dict.fromkeys((killed, "eventrelay")):
        asked = components.of(target, name)
        until(partial(_redundant, asked), WHOLE_WITHIN_S, f"{name} is redundant", every=0.3)
    return time.monotonic() - began


def _redundant(asked: components.Component) -> bool:
    return asked.redundant().ok
