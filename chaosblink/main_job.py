"""The main job: a platform (brought up when none is there), the chaos suites, the report, the platform away."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest

from chaosblink import cluster_life
from chaosblink.experiments import plan, run_folder
from chaosblink.platform_life import at_hand
from chaosblink.report.publish import kept, print_table, publish
from chaosblink.targets import TARGET, PlatformError
from chaosblink.targets.local.layout import ROOT

Progress = Callable[[str], None]
DEFAULT_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person chose of a run: which experiments (none: the default ones), how often, from which seed.

    `rounds` and `seed` None: the default, a new one. `only_round` repeats one round of the plan. `weakened` injects
    although the steady state does not hold.
    """

    experiments: tuple[str, ...] = ()
    everything: bool = False
    rounds: int | None = None
    only_round: int | None = None
    seed: int | None = None
    weakened: bool = False

    def options(self) -> list[str]:
        """The choices as options of a command line; `chaosblink run` and the suites know the same ones."""
        flags = {"--weakened": self.weakened, "--all": self.everything}
        values = {"--rounds": self.rounds, "--seed": self.seed, "--round": self.only_round}
        return [
            *(f"{option}={value}" for option, value in values.items() if value is not None),
            *(f"--experiment={experiment}" for experiment in self.experiments),
            *(flag for flag, chosen in flags.items() if chosen),
        ]


def run_suites(name: str, choices: Choices, keep: bool, overrides: tuple[str, ...], progress: Progress) -> int:
    """Exit code of the whole: 0 every promise kept, 1 broken or not judged, 2 not possible, 130 interrupted."""
    for experiment in choices.experiments:
        plan.load(experiment)
        if plan.needs_cluster(experiment) and os.environ.get(TARGET, "local") == "local":
            raise PlatformError(f"{experiment} {plan.NEEDS_CLUSTER}: --target kind, or --context NAME")
    if cluster_life.elsewhere():
        return cluster_life.run(name, ["run", *choices.options()], overrides, keep, progress)[0]
    with at_hand(name, overrides, keep, progress):
        folder = run_folder.place("local")
        seed = random.randrange(10**6) if choices.seed is None else choices.seed
        settled = replace(choices, rounds=choices.rounds or DEFAULT_ROUNDS, seed=seed)
        code = _pytest([f"--platform={name}", *settled.options()], folder)
        if not folder.exists():
            return code
        _conclude(folder)
        return code or (0 if kept(folder) else 1)


def experiments_table() -> str:
    """Every experiment: name, whether it is run by default, seconds a round usually takes, tags, title."""
    rows = [("experiment", "default", "a round", "tags", "title")]
    for name in plan.known():
        content = plan.load(name)
        tags = ", ".join(tag for tag in content["tags"] if tag != plan.DEFAULT)
        took = f"{plan.seconds(content)} s"
        rows.append((name, "yes" if plan.DEFAULT in content["tags"] else "", took, tags, content["title"]))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(lines)


def _pytest(options: list[str], folder: Path) -> int:
    quiet = ["-p", "no:cacheprovider", "-n", "0", "--tb=no", "-v"]
    # conformance shares the platform and is a run of its own; chaos has it alone
    chaos_only = [
        "--ignore-glob=*/test_conformance*.py",
        *(f"--ignore={ROOT}/suites/{name}" for name in ("findings", "procedures")),
    ]
    arguments = [str(ROOT / "suites"), f"--rootdir={ROOT}", *chaos_only, *quiet, *options, f"--run-dir={folder}"]
    interruption = Interruption()
    code = int(pytest.main(arguments, plugins=[interruption]))
    return 130 if interruption.seen else code if code in (0, 1) else 2


class Interruption:
    """A pytest plugin that tells Ctrl-C from an exit the suites asked for: pytest's own code is 2 for both."""

    seen = False

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Called by pytest for both."""
        self.seen = isinstance(excinfo.value, KeyboardInterrupt)


def _conclude(folder: Path) -> None:
    page = publish(folder)
    print_table(folder)
    click.echo(f"report: {page}")
