"""Load past one process: Locust's master and its workers as pods beside the platform, and what they drive together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaosblink.load.steps import LOGIN, SETUP
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.api import Api
from chaosblink.targets.kubernetes.job import Job
from chaosblink.targets.local.bring_up import undisturbed

Say = Callable[[str], None]
CONNECT_WITHIN_S = 120
"""Seconds the master waits for its workers' pods before it gives up."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the people do: `users` at once for `seconds`, without time to think, drawn from `mix`."""

    users: int = 8
    seconds: int = 30
    mix: str = "logins"

    def options(self) -> list[str]:
        """As options of `chaosblink load`; only the master is told them and tells its workers."""
        users = str(self.users)
        named = {"--mix": self.mix, "--users": users, "--spawn-rate": users, "--run-time": f"{self.seconds}s"}
        return [*(word for pair in named.items() for word in pair), "--think-s", "0", "--headless", "--json"]


@dataclass(frozen=True, slots=True)
class Driven:
    """What so many workers drove: whole logins and requests a second that succeeded, and requests that failed."""

    workers: int
    logins_per_s: float
    requests_per_s: float
    failed: int

    def __str__(self) -> str:
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return (
            f"{workers}: {self.logins_per_s:.1f} logins/s, {self.requests_per_s:.1f} requests/s, {self.failed} failed"
        )


def drive(api: Api, command_options: str, counts: Iterable[int], load: Load, folder: Path, say: Say) -> Path:
    """Drive the same load with each number of workers, one after another; `workers.json` in the folder tells of it.

    PlatformError when a load shows nothing: the others are then not begun.
    """
    folder.mkdir(parents=True)
    found: list[Driven] = []
    for workers in counts:
        found.append(_driven(workers, _statistics(_said(api, command_options, workers, load))))
        say(str(found[-1]))
    file = folder / "workers.json"
    file.write_text(json.dumps({"load": asdict(load), "driven": [asdict(each) for each in found]}, indent=1) + "\n")
    return file


def _said(api: Api, command_options: str, workers: int, load: Load) -> list[str]:
    """What the master said from its start to its end."""
    wait = ["--master", "--expect-workers", str(workers), "--expect-workers-max-wait", str(CONNECT_WITHIN_S)]
    said: list[str] = []
    with ExitStack() as pods:
        master = pods.enter_context(_pod(api, command_options, [*load.options(), *wait]))
        address = master.address()
        for _ in range(workers):
            pods.enter_context(_pod(api, command_options, ["--mix", load.mix, "--worker", "--master-host", address]))
        master.run(said.append)
    return said


@contextmanager
def _pod(api: Api, command_options: str, options: list[str]) -> Iterator[Job]:
    job = Job(api, ["load", *options], command_options)
    try:
        yield job
    finally:
        with undisturbed():
            job.remove()


def _statistics(said: list[str]) -> list[dict[str, Any]]:
    """The master's final statistics among its lines, one entry a kind of request."""
    try:
        begin = said.index("[")
        entries: list[dict[str, Any]] = json.loads("\n".join(said[begin : said.index("]", begin) + 1]))
    except ValueError:
        raise PlatformError(f"Locust's master gave no statistics; it said: {' '.join(said[-5:])}") from None
    return entries


def _driven(workers: int, entries: list[dict[str, Any]]) -> Driven:
    counted = [each for each in entries if each["name"] != SETUP]
    succeeded = {each["name"]: each["num_requests"] - each["num_failures"] for each in counted}
    if not succeeded.get(LOGIN):
        raise PlatformError(f"{workers} workers: no login succeeded, so nothing can be said of their load")
    seconds = max(each["last_request_timestamp"] for each in counted) - min(each["start_time"] for each in counted)
    return Driven(
        workers,
        round(succeeded[LOGIN] / seconds, 1),
        round(sum(succeeded.values()) / seconds, 1),
        sum(each["num_failures"] for each in counted),
    )
