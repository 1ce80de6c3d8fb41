"""One run from its lock to its report: what the suites share."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chaosblink import components, promises, verdicts
from chaosblink.experiments import plan, run_folder
from chaosblink.experiments.campaign import Campaign
from chaosblink.experiments.plan import PlannedRound
from chaosblink.faults.undo import rollback
from chaosblink.run_rounds import Run, RunExperiment, read_run
from chaosblink.targets import PlatformError, Target
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.waiting import Timeout

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose for a run; `seed` None draws one, `only_round` repeats a single round of the plan.

    Without `experiments`, those with the tag `default` are run, or with `everything` all.
    """

    experiments: tuple[str, ...] = ()
    rounds: int = 3
    only_round: int | None = None
    seed: int | None = None
    folder: Path | None = None
    weakened: bool = False
    everything: bool = False


class Session:
    """Holds the platform alone, keeps the plan, runs experiments when a suite asks, judges them."""

    def __init__(self, target: Target, options: Options, progress: Progress) -> None:
        for name in options.experiments:
            plan.load(name)
        self.target, self._progress = target, progress
        self._held = ExitStack()
        self._seed = random.randrange(10**6) if options.seed is None else options.seed
        chosen = list(options.experiments or (plan.known() if options.everything else plan.defaults()))
        self._not_run = plan.not_run(chosen, target)
        possible = [name for name in chosen if name not in self._not_run]
        self.plan = [
            replace(planned, command=f"{planned.command} {target.options}".rstrip())
            for planned in plan.make(possible, options.rounds, self._seed, options.only_round)
        ]
        self._options = options
        self._judged: dict[str, list[verdicts.Verdict]] = {}

    def __enter__(self) -> Session:
        with ExitStack() as held:
            held.enter_context(self.target.hold())
            self._begin()
            self._held = held.pop_all()
        return self

    def _begin(self) -> None:
        for undone in rollback(self.target):
            self._progress(f"a fault of an earlier run was undone: {undone}")
        self.run = run_folder.create(self.target, self._described(), versions(self.target), self._options.folder)
        plan.write(self.plan, self._seed, self.run, self._not_run)
        self._progress(f"seed {self._seed}, {len(self.plan)} rounds, folder {self.run}")

    def __exit__(self, *_error: object) -> None:
        with self._held:
            for undone in rollback(self.target):
                self._progress(f"undone: {undone}")

    def _described(self) -> dict[str, Any]:
        chosen = [p.experiment for p in self.plan]
        return {
            "seed": self._seed,
            "rounds": self._options.rounds,
            "weakened": self._options.weakened,
            "experiments": list(dict.fromkeys(chosen)),
        }

    def _run(self, experiment: str, planned: list[PlannedRound]) -> None:
        """Run the plan (nothing where it has no round), then at most twice those rounds again in which the machine was
        too busy to time anything."""
        done = list(planned)
        again = planned
        for _ in range(1 + verdicts.TIMING_REPEATS if planned else 0):
            with Campaign(self.target, self.run, experiment, self._progress, self._options.weakened) as campaign:
                campaign.run(again)
            disturbed = verdicts.still_disturbed(self._recorded(experiment)[1])
            again = [
                plan.repeat(p, len(done) + n) for n, p in enumerate((p for p in planned if p.round in disturbed), 1)
            ]
            if not again:
                return
            self._progress(f"{experiment}: disturbed, timing is measured again: {len(again)} rounds")
            done += again

    def _recorded(self, experiment: str) -> tuple[Run, RunExperiment]:
        recorded = read_run(self.run, only=experiment)
        return recorded, recorded.experiments[0]

    def _judge(self, experiment: str) -> list[verdicts.Verdict]:
        return verdicts.judge_experiment(*self._recorded(experiment), promises.load())

    def recording(self, experiment: str) -> Recording:
        """Run the experiment's rounds (once a session) and judge them."""
        if experiment not in self._judged:
            if why := self._not_run.get(experiment):
                self._progress(f"{experiment} is not run: {why}")
            try:
                self._run(experiment, [p for p in self.plan if p.experiment == experiment])
            except (Timeout, PlatformError) as error:
                # rounds that are missing are judged unknown, which counts as failed
                self._progress(f"{experiment} ended early: {error}")
            self._judged[experiment] = self._judge(experiment)
        return Recording(experiment, self._judged[experiment])


@dataclass(frozen=True, slots=True)
class Recording:
    """What the rounds of one experiment showed, as verdicts."""

    experiment: str
    verdicts: list[verdicts.Verdict]

    def keeps(self, promise: str) -> None:
        """AssertionError with what was measured, unless the promise was kept in every round."""
        verdicts.keeps(self.verdicts, promise, self.experiment, not_run=pytest.skip)


def versions(target: Target) -> dict[str, str]:
    """Version of every kind of server, asked of one of its instances."""
    cluster = {"kubernetes": target.version()} if isinstance(target, KubernetesTarget) else {}
    return cluster | {name: components.of(target, name).version() for name in components.ALL}
