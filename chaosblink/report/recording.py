"""Read a run folder into plain records; whatever is missing or unreadable is named, never guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from chaosblink.checkers import rounds
from chaosblink.history import Event, Operation

T = TypeVar("T")


@dataclass
class Round:
    """One injection as its folder tells it; `missing` names absent or broken files and says why.

    `recorded` is what the checkers judge; times are `time.monotonic_ns()`.
    """

    recorded: rounds.Round
    logins: list[dict[str, Any]] = field(default_factory=list)
    journal: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def experiment(self) -> str:
        """Name of the experiment, which is its folder's name."""
        return self.recorded.experiment

    @property
    def name(self) -> str:
        """Name of the round's folder, `round-01`."""
        return self.recorded.folder.name

    @property
    def details(self) -> dict[str, Any]:
        """round.json; empty when it is missing."""
        return self.recorded.settings

    @property
    def operations(self) -> list[Operation]:
        """Every operation of every path."""
        return self.recorded.operations

    @property
    def events(self) -> list[Event]:
        """The timeline in order of time."""
        return self.recorded.events

    @property
    def t0(self) -> int | None:
        """When the fault bit, None when the timeline does not tell."""
        return self.recorded.t0

    @property
    def healed(self) -> int | None:
        """When the last fault was proven gone (or, failing that, reverted); None when the timeline does not tell."""
        for word in ("healed", "reverted"):
            if events := self.recorded.faults(word):
                return events[-1].at
        return None

    @property
    def victims(self) -> list[str]:
        """Instances the fault hit, from round.json or else from the timeline."""
        bitten = self.recorded.faults("bitten")
        named = self.details.get("victims") or (bitten[0].data.get("victims") if bitten else None)
        return [str(victim) for victim in named or []]

    def path_settings(self, path: str) -> dict[str, Any]:
        """interval_ms, deadline_ms and focus of one path; empty when round.json does not tell."""
        settings = (self.details.get("paths") or {}).get(path)
        return settings if isinstance(settings, dict) else {}


@dataclass
class Experiment:
    """All rounds of one experiment; `title` is the sentence of the Chaos Toolkit file."""

    name: str
    title: str
    rounds: list[Round]


@dataclass
class Run:
    """A run folder; `verdicts` as in verdicts.json, `missing` names absent or broken files of the run itself."""

    folder: Path
    facts: dict[str, Any]
    plan: dict[str, Any]
    verdicts: list[dict[str, Any]]
    experiments: list[Experiment]
    missing: list[str]


def load(folder: Path) -> Run:
    """Read everything below a run folder; NotADirectoryError when there is none."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such run folder")
    missing: list[str] = []
    nothing: dict[str, Any] = {}
    facts = _try(missing, folder / "run.json", _read_object, nothing)
    plan = _try(missing, folder / "plan.json", _read_object, nothing)
    experiments = [_experiment(folder / name, name) for name in _names(folder, plan)]
    return Run(folder, facts, plan, read_verdicts(folder, missing), experiments, missing)


def _names(folder: Path, plan: dict[str, Any]) -> list[str]:
    """Experiments in the order of the plan, then those the plan does not know."""
    planned = [str(entry.get("experiment", "")) for entry in plan.get("rounds", []) if isinstance(entry, dict)]
    found = sorted(path.parent.name for path in folder.glob("*/round-*") if path.is_dir())
    return list(dict.fromkeys(name for name in [*planned, *found] if name))


def _experiment(folder: Path, name: str) -> Experiment:
    found = [_round(path, name) for path in sorted(folder.glob("round-*")) if path.is_dir()]
    titles = [(one.journal.get("experiment") or {}).get("title") for one in found]
    return Experiment(name, str(next(filter(None, titles), name)), found)


def _round(folder: Path, experiment: str) -> Round:
    recorded = rounds.load(folder, experiment)
    missing = list(recorded.problems.values())
    return Round(
        recorded,
        logins=_try(missing, folder / "logins.jsonl", _read_objects, []),
        journal=_try(missing, folder / "journal.json", _read_object, {}),
        missing=missing,
    )


def read_verdicts(folder: Path, missing: list[str]) -> list[dict[str, Any]]:
    """verdicts.json, or the run judged again when it is not there."""
    path = folder / "verdicts.json"
    if not path.exists():
        try:
            from chaosblink.verdicts import write_verdicts

            write_verdicts(folder)
        except Exception as error:
            missing.append(f"verdicts.json is missing, and judging again failed: {error}")
            return []
    return _try(missing, path, _read_list, [])


def _try(missing: list[str], path: Path, read: Callable[[Path], T], otherwise: T) -> T:
    if not path.exists():
        missing.append(f"{path.name} is missing")
        return otherwise
    try:
        return read(path)
    except (ValueError, TypeError, KeyError, OSError) as error:
        missing.append(f"{path.name} cannot be read: {error}")
        return otherwise


def _read_object(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TypeError("not a JSON object")
    return content


def _read_list(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, list):
        raise TypeError("not a JSON list")
    return [entry for entry in content if isinstance(entry, dict)]


def _read_objects(path: Path) -> list[dict[str, Any]]:
    """Every complete JSON line; a last line cut short by a kill is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n") and line.strip()]
