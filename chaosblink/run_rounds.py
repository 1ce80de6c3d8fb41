"""A run folder as the judge sees it: the plan's experiments and rounds, and what was recorded of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosblink.checkers.rounds import Round, load


@dataclass(slots=True)
class RunExperiment:
    """One experiment's rounds in order, repeats last; `not_run` names the capability that was missing."""

    name: str
    rounds: list[Round] = field(default_factory=list)
    not_run: str = ""


@dataclass(slots=True)
class Run:
    """A run folder; `commands` maps (experiment, round) to the command that repeats it, `problems` is what is amiss."""

    folder: Path
    experiments: list[RunExperiment] = field(default_factory=list)
    commands: dict[tuple[str, int], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def command(self, recorded: Round) -> str:
        """The command that repeats a round; a repeat has its original's."""
        number = recorded.number if recorded.repeats is None else recorded.repeats
        return self.commands.get((recorded.experiment, number), str(recorded.settings.get("command", "")))


def read_run(folder: Path, only: str | None = None) -> Run:
    """Load every round of the plan, also those without a folder, and every round that is there beyond the plan.

    `only` names the one experiment to load.
    plan.json is `{"seed", "rounds": [{"experiment", "round", "folder", "command"}], "not_run": {experiment: why}}`,
    the last optional.
    """
    run = Run(folder)
    plan = _plan(run)
    not_run = {name: str(why) for name, why in plan.get("not_run", {}).items()}
    experiments = {name: RunExperiment(name, not_run=why) for name, why in not_run.items() if only in (None, name)}
    for place, name, number in [*_planned(run, plan), *_beyond(run, plan)]:
        if only in (None, name):
            experiments.setdefault(name, RunExperiment(name)).rounds.append(load(place, name, number))
    run.experiments = list(experiments.values())
    return run


def _planned(run: Run, plan: dict[str, Any]) -> list[tuple[Path, str, int]]:
    """Folder, experiment and number of every planned round; notes the commands that repeat them."""
    rounds = []
    for entry in plan.get("rounds", []):
        name, number = str(entry["experiment"]), int(entry["round"])
        run.commands[name, number] = str(entry.get("command", ""))
        rounds.append((run.folder / str(entry["folder"]), name, number))
    return rounds


def _beyond(run: Run, plan: dict[str, Any]) -> list[tuple[Path, str, int]]:
    """The same for rounds that are there beyond the plan, repeats of disturbed ones; 0: the folder's name has it."""
    planned = {run.folder / str(entry["folder"]) for entry in plan.get("rounds", [])}
    there = [place for place in sorted(run.folder.glob("*/round-*")) if place.is_dir() and place not in planned]
    return [(place, place.parent.name, 0) for place in there]


def _plan(run: Run) -> dict[str, Any]:
    """plan.json, or nothing and a problem: without it nobody knows which rounds are missing."""
    try:
        plan = json.loads((run.folder / "plan.json").read_text(encoding="utf-8"))
        for entry in plan["rounds"]:
            entry["experiment"], entry["folder"], int(entry["round"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "is missing" if isinstance(error, OSError) else f"cannot be read: {error!r}"
        run.problems.append(f"plan.json {reason}: nobody can tell whether every planned round is here")
        return {}
    return dict(plan)
