"""The main job: a platform (brought up when none is there), the chaos suites, the report, the platform away."""

from __future__ import annotations

import datetime
import os
import random
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from chaosblink import cluster_life
from chaosblink.experiments import plan, run_folder
from chaosblink.platform_life import bring_up
from chaosblink.report.publish import kept, print_table, publish
from chaosblink.targets import PlatformError, open_target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.local.bring_up import down, undisturbed
from chaosblink.targets.local.layout import ROOT
from chaosblink.targets.local.target import state_of

Progress = Callable[[str], None]
DEFAULT_ROUNDS = 3


def run_suites(
    name: str,
    experiments: tuple[str, ...],
    rounds: int | None,
    only_round: int | None,
    seed: int | None,
    keep: bool,
    weakened: bool,
    everything: bool,
    overrides: tuple[str, ...],
    progress: Progress,
) -> int:
    """Exit code of the whole: 0 every promise kept, 1 broken or not judged, 2 not possible, 130 interrupted."""
    for experiment in experiments:
        plan.load(experiment)
    if cluster_life.elsewhere():
        arguments = _arguments(experiments, rounds, only_round, seed, weakened)
        return cluster_life.run(name, arguments, overrides, keep, progress)
    ours = not names.inside() and not state_of(name).exists()
    if ours:
        bring_up(name, overrides, "auto", progress)
    elif overrides:
        raise PlatformError(f"--set changes a platform being brought up, and {name!r} is up; `chaosblink down` first")
    open_target(name)
    try:
        folder = _folder()
        chosen_seed = random.randrange(10**6) if seed is None else seed
        flags = (["--weakened"] if weakened else []) + (["--all"] if everything else [])
        code = _pytest(_options(name, experiments, rounds, only_round, chosen_seed) + flags, folder)
        if not folder.exists():
            return code
        _conclude(folder)
        return code or (0 if kept(folder) else 1)
    finally:
        if ours and not keep:
            with undisturbed():
                down(name)
            progress(f"platform {name} removed")


def _options(
    name: str, experiments: tuple[str, ...], rounds: int | None, only_round: int | None, seed: int
) -> list[str]:
    return [f"--platform={name}", *_arguments(experiments, rounds or DEFAULT_ROUNDS, only_round, seed, weakened)]


def _arguments(
    experiments: tuple[str, ...], rounds: int | None, only_round: int | None, seed: int | None, weakened: bool
) -> list[str]:
    """The choices of a run as options of a command line; `chaosblink run` and the suites know the same ones."""
    options = [f"--rounds={rounds}"] if rounds else []
    options += [f"--seed={seed}"] if seed is not None else []
    options += [f"--experiment={experiment}" for experiment in experiments]
    return options + ([f"--round={only_round}"] if only_round else [])


def experiments_table() -> str:
    """Every experiment: name, whether it is run by default, seconds a round usually takes, tags, title."""
    rows = [("experiment", "default", "a round", "tags", "title")]
    for name in plan.known():
        content = plan.load(name)
        tags = ", ".join(tag for tag in content["tags"] if tag != plan.DEFAULT)
        took = f"{plan.seconds(content)} s"
        rows.append((name, "yes" if name in plan.defaults() else "", took, tags, content["title"]))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(lines)


def _folder() -> Path:
    """A new run's folder; in a pod of the suite it lies on the volume that outlives the pod."""
    named = f"{datetime.datetime.now():%Y%m%d-%H%M%S}"
    if names.inside():
        return names.KEPT / "runs" / (os.environ.get("CHAOSBLINK_RUN") or f"{named}-kubernetes")
    return run_folder.RUNS / f"{named}-local"


def _pytest(options: list[str], folder: Path) -> int:
    quiet = ["-p", "no:cacheprovider", "-n", "0", "--tb=no", "-v"]
    # conformance shares the platform and is a run of its own; chaos has it alone
    chaos_only = ["--ignore-glob=*/test_conformance*.py", f"--ignore={ROOT}/suites/findings"]
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
