"""The one history format: operations, timeline events and final reads, as JSON lines on one monotonic clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

Outcome = Literal["ok", "fail", "unknown"]


BEHIND = {"pgpool": "postgresql", "sentinel": "redis"}
"""The store that a component without data of its own serves: a fault in it is judged by the writes there."""
EDGE_REDIS = "redis-master"
"""The edge's Redis entrance (`redis-master/fresh`) leads to the master of set 1."""
OTHERS = "others"
"""Whose `cpu` events tell what neither the platform nor the run used."""


def store_of(path: str) -> str:
    """`redis-2/fresh` -> `redis-2`; the edge's Redis entrance counts as set 1."""
    store = path.partition("/")[0]
    return "redis-1" if store == EDGE_REDIS else store


class HistoryError(ValueError):
    """A line that is whole but not of this format; the message names file and line number."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a workload. All times are `time.monotonic_ns()`.

    `path` names client and route, `<component>/<kind>`: `postgresql/fresh`, `postgresql/persistent`,
    `vault/fresh`, `vault/persistent`, `redis-1/persistent` (set 1), `redis-1/fresh`, `redis-1/read`, `login`,
    `eventrelay/persistent`.
    `id` is unique in the run and is what a final read looks for; for logins it only labels.
    `fail` is certain (it did not and will not happen); everything not certain is `unknown`.
    """

    path: str
    op: str
    id: str
    due: int
    start: int
    end: int
    outcome: Outcome
    reason: str = ""
    server: str = ""
    """Instance that acknowledged (`postgresql-1`), asked of the server in the operation itself; empty when unknown."""

    @property
    def writes(self) -> bool:
        """Whether it stores something that a final read can look for: a login, a `read` and a `deliver` do not."""
        return self.op not in ("login", "read", "deliver")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline; `data` depends on `kind`.

    kind      data
    round     event: start | end
    baseline  event: reached          (steady state holds and every path has its 100 successes)
    fault     event: injecting | bitten | reverted | healed | residue; id, fault, selector, victims, proof
    role      component, instance, role ("" = no answer), asked (ns when the question was sent)
    view      component, instance, of, sees   (who a Sentinel, repmgr node, PgPool or proxy takes for the leader)
    redundant component, redundant (bool), why
    cpu       instance, percent (of one core, since the sample before), rss; `others` also cores (of the machine)
    tick      late (ns)               (a 10 ms watchdog tick that came more than 50 ms late)
    mark      text
    """

    at: int
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FinalRead:
    """What one server holds of one store after recovery.

    `store` is `postgresql`, `vault`, `redis-1`, `redis-2`, `redis-3`; `ids` lists every id found, duplicates included,
    in the order the server keeps them. `complete` is False when the read failed or was cut short: unknown, no pass.
    """

    store: str
    instance: str
    role: str
    at: int
    ids: list[str]
    complete: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class EventRead:
    """The events of a round in one list, as one side has them.

    `source` is `store` (ZITADEL's event store, in its order) or `consumer` (what a consumer committed, in that order);
    `queue` is `high`, `normal` or `low`; ids are the events' keys. `removed` counts repeats the consumer recognised.
    """

    source: str
    queue: str
    at: int
    ids: list[str]
    removed: int = 0
    complete: bool = True
    why: str = ""


Record = TypeVar("Record", Operation, Event, FinalRead, EventRead)


def write_lines(path: Path, records: Iterable[Any]) -> None:
    """Append records (dataclasses of this module) as JSON lines."""
    with path.open("a", encoding="utf-8") as lines:
        for record in records:
            lines.write(to_line(record))


def to_line(record: Any) -> str:
    """One record (a dataclass of this module) as one JSON line."""
    # asdict() copies deeply and cost most of a writer's time; it is left for dataclasses inside an event's data
    fields = {name: getattr(record, name) for name in record.__slots__}
    return json.dumps(fields, separators=(",", ":"), default=asdict) + "\n"


def read_operations(path: Path) -> list[Operation]:
    """Every complete line of a history; a last line cut short by a kill is left out. HistoryError on a foreign line."""
    return list(_records(path, Operation))


def read_events(path: Path) -> list[Event]:
    """Every complete line of a timeline, in order of time. HistoryError on a foreign line."""
    return sorted(_records(path, Event), key=lambda event: event.at)


def read_final_reads(path: Path) -> list[FinalRead]:
    """Every complete line of the final reads. HistoryError on a foreign line."""
    return list(_records(path, FinalRead))


def read_event_reads(path: Path) -> list[EventRead]:
    """Every complete line of the event reads. HistoryError on a foreign line."""
    return list(_records(path, EventRead))


def _records(path: Path, shape: type[Record]) -> Iterator[Record]:
    """A missing file holds no record; whoever judges must ask for the file itself."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):
                return
            try:
                yield shape(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise HistoryError(f"{path.name}, line {number}: {error}") from None
