"""One recorded round, loaded from its folder: what every checker is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from chaosblink.history import (
    BEHIND,
    Event,
    EventRead,
    FinalRead,
    HistoryError,
    Operation,
    read_event_reads,
    read_events,
    read_final_reads,
    read_operations,
    store_of,
)

__all__ = ["Round", "load", "store_of"]

STORES = ("postgresql", "redis", "vault")


@dataclass
class Round:
    """A round as its files tell it; `problems` maps a file's name to why it cannot be used."""

    experiment: str
    number: int
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    final_reads: list[FinalRead] = field(default_factory=list)
    event_reads: list[EventRead] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def component(self) -> str:
        """The component under fault."""
        return str(self.settings.get("component", ""))

    @property
    def repeats(self) -> int | None:
        """Number of the disturbed round whose timing this one repeats, None for a round of the plan."""
        return self.settings.get("repeats")

    @cached_property
    def t0(self) -> int | None:
        """When the fault bit (ns), None when the timeline holds no such event."""
        return next((event.at for event in self.faults("bitten")), None)

    @property
    def redis_set(self) -> str:
        """`redis/master@2` -> `2`; without @ the round's own set, which its writers watched, else the first."""
        named = str(self.settings.get("selector", "")).partition("@")[2].partition(":")[0]
        return named or str(self.settings.get("set", "1"))

    @property
    def led(self) -> str:
        """The component whose leaders the fault may change: for PgPool PostgreSQL, for Sentinel Redis."""
        return BEHIND.get(self.component, self.component)

    @property
    def store(self) -> str:
        """The store under fault as paths and final reads call it: `redis-2`, `vault`; `identity` stores nothing."""
        return f"redis-{self.redis_set}" if self.led == "redis" else self.led

    @property
    def reverted(self) -> int | None:
        """When the last of the round's faults was taken away (ns), None when the timeline holds no such event."""
        return max((event.at for event in self.faults("reverted")), default=None)

    def faults(self, event: str) -> list[Event]:
        """Fault events of that name, in order of time."""
        return [known for known in self.events if known.kind == "fault" and known.data.get("event") == event]

    def paths(self, focus: bool | None = None) -> list[str]:
        """Paths of round.json; only those (not) in focus when asked."""
        known: dict[str, dict[str, Any]] = self.settings.get("paths", {})
        return [name for name, path in known.items() if focus is None or bool(path.get("focus")) is focus]

    def stores(self, which: str) -> list[str]:
        """`under-fault`, `bystanders`, `all` or one kind (`redis`): the stores that clients of this round write to."""
        written = sorted({store_of(path) for path in self.paths() if path != "login"})
        if which in STORES:
            return [store for store in written if store.partition("-")[0] == which]
        return [store for store in written if which == "all" or (store == self.store) == (which == "under-fault")]

    def named(self, template: str) -> str:
        """A path of promises.yaml with `{store}`, `{component}` and `{set}` filled in."""
        return template.format(store=self.store, component=self.component, set=self.redis_set)

    @property
    def recorded_paths(self) -> list[str]:
        """Paths of which the history holds at least one operation."""
        return list(self._by_path)

    def on(self, path: str) -> list[Operation]:
        """Operations of a path in the order in which they were started."""
        return self._by_path.get(path, [])

    @cached_property
    def _by_path(self) -> dict[str, list[Operation]]:
        paths: dict[str, list[Operation]] = {}
        for operation in sorted(self.operations, key=lambda op: op.start):
            paths.setdefault(operation.path, []).append(operation)
        return paths

    def lacks(self, *files: str) -> str:
        """Why these files do not allow a judgement, `` when they do."""
        return "; ".join(self.problems[name] for name in ("round.json", *files) if name in self.problems)


def load(folder: Path, experiment: str = "", number: int = 0) -> Round:
    """Read a round's folder; whatever is missing or unreadable is noted in `problems`, never raised."""
    recorded = Round(experiment or folder.parent.name, number or _number(folder), folder)
    recorded.settings = _read(recorded, "round.json", _object, {})
    recorded.operations = _read(recorded, "history.jsonl", read_operations, [])
    recorded.events = _read(recorded, "timeline.jsonl", read_events, [])
    recorded.final_reads = _read(recorded, "final_reads.jsonl", read_final_reads, [])
    if recorded.component == "eventrelay":
        recorded.event_reads = _read(recorded, "event_reads.jsonl", read_event_reads, [])
    return recorded


def _number(folder: Path) -> int:
    digits = folder.name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def _read(recorded: Round, name: str, reader: Callable[[Path], Any], nothing: Any) -> Any:
    file = recorded.folder / name
    if not file.is_file():
        gone = name if recorded.folder.is_dir() else f"the round's folder (and {name})"
        recorded.problems[name] = f"{gone} is missing"
        return nothing
    try:
        return reader(file)
    except (HistoryError, OSError, ValueError) as error:
        recorded.problems[name] = f"{name} cannot be read: {error}"
        return nothing


def _object(file: Path) -> dict[str, Any]:
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise HistoryError(f"{file.name} is not a JSON object")
    return content
