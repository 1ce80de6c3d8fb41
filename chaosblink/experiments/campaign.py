"""All rounds of one experiment under load: the clients that last the whole experiment, and the rounds between them.

Integrity writers live for one round and have keys of their own. The login prober, Locust and the observer live as long
as the experiment: a login is due only five times a second, and the successes a recording needs before and after a fault
would otherwise cost each round up to 40 s. Each round's files get their part of these streams afterwards.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from chaosblink.experiments import locust, specs
from chaosblink.experiments.address_book import AddressBook
from chaosblink.experiments.companion import Companion
from chaosblink.experiments.plan import PlannedRound, component, load
from chaosblink.experiments.round import NEEDED, Round
from chaosblink.experiments.slicing import Span, share_out
from chaosblink.history import BEHIND
from chaosblink.targets import Target
from chaosblink.waiting import until

Progress = Callable[[str], None]
STAYS_UP = 50
"""Successes with which a path counts as back (docs/measuring.md rule 5), the login also where it is not in focus."""
OPEN = 10
"""Logins open at either end of the calm between two faults, which count for neither of the rounds."""


class Campaign:
    """The rounds of one experiment; use as a context manager, so that every client ends whatever happens.

    `weakened`: the platform is not in its steady state, on purpose, and the fault is injected all the same.
    """

    def __init__(self, target: Target, run: Path, experiment: str, progress: Progress, weakened: bool = False) -> None:
        self._target, self._run, self._progress = target, run, progress
        self._weakened = weakened
        self._component = component(load(experiment))
        in_focus = not specs.focus_paths(self._component, redis_set=1)
        self._logins_needed = OPEN + (NEEDED if in_focus else STAYS_UP)
        earlier = len(list((run / experiment).glob("streams-*")))
        self._streams = run / experiment / f"streams-{earlier + 1}"
        self._companions: list[Companion] = []
        self._book = AddressBook(target, self._streams)
        self._logins_had = 0

    def __enter__(self) -> Campaign:
        self._streams.mkdir(parents=True)
        self._book.__enter__()
        python = [sys.executable, "-m"]
        login = specs.paced(self._target, [specs.login_path()])
        logins = specs.workload(self._target, f"{self._run.name}-logins", self._streams, login, self._book.path)
        watched = [self._component, BEHIND.get(self._component, self._component)]
        observer = specs.observer(self._target, self._streams, watched, self._book.path)
        self._logins = self._start("logins", [*python, "chaosblink.workloads", str(logins.write(self._file("logins")))])
        self._start("observer", [*python, "chaosblink.observer", str(observer.write(self._file("observer")))])
        self._start("locust", *locust.headless(self._target, self._streams / "logins.jsonl"))
        return self

    def __exit__(self, *_error: object) -> None:
        while self._companions:
            self._companions.pop().stop()
        self._book.__exit__()

    def run(self, planned: list[PlannedRound]) -> None:
        """Run the rounds one after another; afterwards the folders of all that ended are complete and can be judged."""
        spans: dict[Path, Span] = {}
        recovered = time.monotonic_ns()
        try:
            for number, this in enumerate(planned, 1):
                self._progress(f"{this.experiment}: round {number} of {len(planned)}")
                current = Round(
                    self._target, self._run, this, self._component, self._progress, self._weakened, self._book.path
                )
                current.run(ready=self._until_ready, recovered=self._count_logins_from_here)
                spans[current.folder] = Span(recovered, current.injecting)
                recovered = current.recovered
            self._until_ready()
        finally:
            ended = time.monotonic_ns()
            self.__exit__()
            share_out(self._streams, spans, ended)

    def _until_ready(self) -> None:
        """Wait for the logins a recording needs; PlatformError when a client has died, whose part would be missing."""

        def enough() -> bool:
            return self._logins.succeeded("login") - self._logins_had >= self._logins_needed

        for companion in self._companions:
            companion.check()
        until(enough, within=90, what=f"{self._logins_needed} successful logins between two faults", every=0.2)

    def _count_logins_from_here(self) -> None:
        self._logins_had = self._logins.succeeded("login")

    def _start(self, name: str, command: list[str], env: dict[str, str] | None = None) -> Companion:
        companion = Companion(name, command, self._streams / f"{name}.log", env)
        self._companions.append(companion)
        return companion

    def _file(self, name: str) -> Path:
        return self._streams / f"{name}.json"
