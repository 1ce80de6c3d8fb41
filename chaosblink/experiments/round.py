"""One round: writers start, the experiment's file is run by the Chaos Toolkit, writers stop, every store is read."""

from __future__ import annotations

import contextlib
import datetime
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaosblink import components
from chaosblink.experiments import specs
from chaosblink.experiments.companion import Companion
from chaosblink.experiments.plan import PlannedRound, known, load, seconds, takes_a_node
from chaosblink.faults.timeline import GO, awaited
from chaosblink.history import Event, read_events, write_lines
from chaosblink.targets import PlatformError, Target
from chaosblink.waiting import Timeout, until
from chaosblink.workloads.final_events import read_both_sides
from chaosblink.workloads.final_reads import read_all

Progress = Callable[[str], None]

NEEDED = 100
"""Successes a recording needs on each path in focus before t0 and after recovery (docs/measuring.md rule 10)."""
FEW = 10
"""Successes of a bystander, ten times slower (`BYSTANDER_SUCCESSES` of the checkers)."""
SETTLES_WITHIN = 60.0
"""Seconds for the writers to reach their successes on a healthy platform: ten times what they need."""
CALM_S = 4.0
EXPERIMENT_WITHIN = 240.0
"""Seconds for one run of an experiment's file, its waits for redundancy included; twice its own estimate if longer."""
ENDED_WITHIN = 60.0
"""Seconds for the toolkit's rollbacks when it is ended."""


class Calm:
    """True once every path has had the successes it needs (by its name) and 4 s since its last failure.

    An outage ends where a path then stays up for 3 s and 50 successes, or for 10 s (rule 5): no round must end before.
    """

    def __init__(self, writers: Companion, needed: dict[str, int]) -> None:
        self._writers, self._needed = writers, needed
        self._failed: dict[str, int] = {}
        self._since: dict[str, tuple[float, int]] = {}

    def __call__(self) -> bool:
        calm = [self._calm(path) for path in self._needed]  # every path is looked at each time
        return all(calm)

    def _calm(self, path: str) -> bool:
        now, succeeded, failed = time.monotonic(), self._writers.succeeded(path), self._writers.failed(path)
        if self._failed.get(path) != failed:
            self._failed[path], self._since[path] = failed, (now, succeeded)
        began, had = self._since[path]
        return now - began >= CALM_S and succeeded - had >= self._needed[path]


class Round:
    """One planned round, run once; its landmarks are attributes afterwards (monotonic ns)."""

    def __init__(
        self,
        target: Target,
        run: Path,
        planned: PlannedRound,
        component: str,
        progress: Progress,
        weakened: bool,
        book: str = "",
    ) -> None:
        self._target, self._planned, self._component, self._progress = target, planned, component, progress
        self._weakened, self._book = weakened, book
        focus = specs.focus_paths(component, planned.set, takes_a_node(load(planned.experiment)))
        self._focus = specs.paced(target, focus)
        self._paths = self._focus + specs.paced(target, specs.bystander_paths(self._focus))
        self._needed = {path.path: NEEDED if path in self._focus else FEW for path in self._paths}
        self._run_id = f"{run.name}-{planned.experiment}-{planned.round}"
        self.folder = run / planned.folder
        self._go = self.folder / "go"
        self.began = self.injecting = self.bitten = self.recovered = 0

    def run(self, ready: Callable[[], None], recovered: Callable[[], None]) -> None:
        """Run the round; `ready` returns when the streams beside it allow the fault, `recovered` is told of recovery.

        Timeout when the platform is not steady enough to begin, PlatformError when nothing could be injected. What goes
        wrong after the fault is recorded and left to the checkers.
        """
        (self.folder / "logs").mkdir(parents=True)
        self.began, self._since = time.monotonic_ns(), time.time()
        wall = datetime.datetime.now(datetime.UTC).isoformat()
        log_ends = {i.name: self._target.log_end(i) for i in self._target.instances()}
        bounds = self._bounds()
        with contextlib.ExitStack() as clients:
            writers = self._start_writers()
            clients.callback(writers.stop)
            self._until_succeeded(writers, dict.fromkeys(self._needed, FEW), "at the start")
            toolkit = self._start_toolkit()
            clients.callback(toolkit.stop)
            self._until_steady(toolkit)
            self._until_succeeded(writers, self._needed, "before the fault")
            ready()
            toolkit.check()
            self._mark("baseline", event="reached")
            threading.Event().wait(self._planned.delay_ms / 1000)  # the plan's own delay, not a wait for anything
            self._go.touch()
            self._until_over(toolkit)
            self._read_landmarks()
            recovered()
            self._settle(writers)
        self._final_reads()
        self._keep_logs(log_ends)
        self._write_round(wall, bounds)

    def _start_writers(self) -> Companion:
        self._spec = specs.workload(self._target, self._run_id, self.folder, self._paths, self._book)
        spec_file = self._spec.write(self.folder / "workload.json")
        command = [sys.executable, "-m", "chaosblink.workloads", str(spec_file)]
        return Companion("writers", command, self.folder / "logs" / "writers.log")

    def _until_steady(self, toolkit: Companion) -> None:
        """Wait until the toolkit has found the steady state and awaits its go; PlatformError when it has not."""

        def awaits() -> bool:
            return toolkit.ended or awaited(self._go).exists()

        until(awaits, SETTLES_WITHIN, "the Chaos Toolkit finds the steady state", every=0.1)
        toolkit.check()

    def _until_over(self, toolkit: Companion) -> None:
        """Wait for the toolkit's end; an experiment that lasts too long is ended, and undoes its faults at that."""
        within = max(EXPERIMENT_WITHIN, 2.0 * seconds(load(self._planned.experiment)))
        try:
            toolkit.wait(within)
        except subprocess.TimeoutExpired:
            self._mark("mark", text=f"the experiment was not over within {within:g} s and was ended")
            toolkit.stop(ENDED_WITHIN)

    def _until_succeeded(self, writers: Companion, needed: dict[str, int], when: str) -> None:
        had = {path: writers.succeeded(path) for path in needed}

        def enough() -> bool:
            return all(writers.succeeded(path) - had[path] >= number for path, number in needed.items())

        until(enough, SETTLES_WITHIN, f"{max(needed.values())} successes on every path {when}", every=0.2)

    def _settle(self, writers: Companion) -> None:
        try:
            until(Calm(writers, self._needed), SETTLES_WITHIN, "every path goes on after recovery", every=0.2)
        except Timeout as timeout:
            self._mark("mark", text=str(timeout))
            self._progress(f"  {timeout}")

    def _start_toolkit(self) -> Companion:
        """Run the experiment's file as anyone would, before the baseline: its imports take seconds of CPU.

        Its control holds the method back until the go file is there. A deviation is a verdict's matter.
        """
        environment = {
            GO: str(self._go),
            "CHAOSBLINK_PLATFORM": self._target.name,
            "CHAOSBLINK_ROUND": str(self.folder),
            "CHAOSBLINK_SEED": str(self._planned.seed),
            "CHAOSBLINK_SET": str(self._planned.set),
        }
        chaos = [str(Path(sys.executable).parent / "chaos"), "--no-version-check"]
        chaos += ["--log-file", str(self.folder / "logs" / "chaostoolkit.log")]
        file = str(known()[self._planned.experiment])
        command = [*chaos, "run", "--journal-path", str(self.folder / "journal.json")]
        if self._weakened:
            command += ["--hypothesis-strategy", "after-method-only"]
        command.append(file)
        return Companion("chaos toolkit", command, self.folder / "logs" / "chaos.log", environment)

    def _read_landmarks(self) -> None:
        events = read_events(self.folder / "timeline.jsonl")
        at = {e.data["event"]: e.at for e in reversed(events) if e.kind == "fault"}  # the first of each
        if "bitten" not in at:
            tail = " ".join((self.folder / "logs" / "chaos.log").read_text(errors="replace").split()[-60:])
            raise PlatformError(f"{self._planned.experiment}: no fault was injected; the Chaos Toolkit said: {tail}")
        self.injecting, self.bitten, self.recovered = at["injecting"], at["bitten"], time.monotonic_ns()

    def _final_reads(self) -> None:
        self._progress("  reading every store on every server")
        now = replace(self._spec, instances=self._target.instances())  # a pod may have been replaced meanwhile
        write_lines(self.folder / "final_reads.jsonl", read_all(now))
        if self._component == "eventrelay":
            store = specs.events_route(self._target, self._since)
            assert self._spec.postgresql is not None
            reads = read_both_sides(store, self._spec.postgresql, self._spec.final_read_deadline_s)
            write_lines(self.folder / "event_reads.jsonl", reads)

    def _keep_logs(self, ends: dict[str, float]) -> None:
        for instance in self._target.instances():  # one that was not there at the start is kept whole
            text = self._target.log(instance, ends.get(instance.name, 0))
            (self.folder / "logs" / f"{instance.name}.log").write_text(text)

    def _bounds(self) -> dict[str, Any]:
        try:
            bound = components.of(self._target, self._component).bound()
        except PlatformError as error:  # a bound that cannot be read is missing data: unknown, and the round goes on
            self._mark("mark", text=str(error))
            return {}
        return {self._component: {"ms": bound.ms, "formula": bound.formula, "inputs": bound.inputs}}

    def _mark(self, kind: str, **data: Any) -> None:
        write_lines(self.folder / "timeline.jsonl", [Event(time.monotonic_ns(), kind, data)])

    def _write_round(self, wall: str, bounds: dict[str, Any]) -> None:
        paths = [*self._paths, *specs.paced(self._target, [specs.login_path()])]
        in_focus = {p.path for p in self._focus} or {"login"}
        content = {
            "experiment": self._planned.experiment,
            "round": self._planned.round,
            "seed": self._planned.seed,
            "component": self._component,
            "set": self._planned.set,
            "paths": {
                p.path: {"interval_ms": p.interval_ms, "deadline_ms": p.deadline_ms, "focus": p.path in in_focus}
                for p in paths
            },
            "bounds": bounds,
            "command": self._planned.command,
            "repeats": self._planned.repeats,
            "wall": wall,
            "monotonic_ns": self.began,
            **self._outcome(),
        }
        (self.folder / "round.json").write_text(json.dumps(content, indent=1))

    def _outcome(self) -> dict[str, Any]:
        events = read_events(self.folder / "timeline.jsonl")
        faults = [e.data for e in events if e.kind == "fault"]
        bitten = [data for data in faults if data.get("event") == "bitten"]
        answers = [e for e in events if e.kind == "redundant" and e.data["component"] == self._component]
        whole = [e.at for e in answers if e.data["redundant"] and e.at > self.bitten]
        residue = [left for data in faults if data.get("event") == "residue" for left in data.get("left", [])]
        return {
            "selector": bitten[0]["selector"],
            "victims": list(dict.fromkeys(name for bite in bitten for name in bite["victims"])),
            "redundant_ms": (whole[0] - self.bitten) / 1e6 if whole else None,
            "residue": residue,
        }
