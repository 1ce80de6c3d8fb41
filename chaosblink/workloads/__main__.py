"""`python -m chaosblink.workloads SPEC.json`: run all paths of a spec until told to stop.

Stops at SIGTERM or SIGINT, when a pipe on stdin is closed, or when the parent is gone; open operations are finished
within their deadlines first. Prints one JSON line a second:
{"path": {"ok": n, "fail": n, "unknown": n, "due": n}, ...}.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from pathlib import Path as File

import uvloop

from chaosblink.workloads.attempt import Path
from chaosblink.workloads.eventrelay_path import EventrelayPath
from chaosblink.workloads.following import follow, turn_page
from chaosblink.workloads.lifeline import quieten, take_precedence, watch
from chaosblink.workloads.login_path import LoginPath
from chaosblink.workloads.postgresql_path import PostgresqlPath
from chaosblink.workloads.prober import Prober, watchdog
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.redis_path import RedisPath
from chaosblink.workloads.redis_read import RedisReadPath
from chaosblink.workloads.spec import PathSpec, Spec, read_spec
from chaosblink.workloads.vault_path import VaultPath

FLUSH_S = 0.2
"""At most this much of a history is lost when the process is killed."""


def path_of(spec: Spec, path: PathSpec) -> Path:
    """The client of a path; ValueError when its name is unknown or its route is missing."""
    component = path.path.split("/", maxsplit=1)[0].split("-", maxsplit=1)[0]
    clients: dict[str, type[Path]] = {
        "postgresql": PostgresqlPath,
        "vault": VaultPath,
        "redis": RedisPath,
        "login": LoginPath,
        "eventrelay": EventrelayPath,
    }
    if component not in clients:
        raise ValueError(f"unknown path {path.path!r}")
    if component == "redis" and path.path.endswith("/read"):
        return RedisReadPath(spec, path)
    return clients[component](spec, path)  # type: ignore[call-arg]


async def run(spec: Spec) -> None:
    """All paths, side by side, until the process is told to stop."""
    stopping = asyncio.Event()
    quieten(asyncio.get_running_loop())
    recorder = Recorder(File(spec.folder), [path.path for path in spec.paths])
    follows = follow(spec.book, partial(turn_page, spec.instances))
    prefix = f"{time.monotonic_ns() // 1_000_000:x}"
    probers = [Prober(path, path_of(spec, path), recorder, prefix) for path in spec.paths]
    chores = [
        asyncio.create_task(job)
        for job in (watch(stopping), watchdog(recorder), _flush(recorder), _tell(recorder), follows)
    ]
    # Starts spread over 10 ms keep paths with equal intervals from falling due in the same instant for ever.
    begin = time.monotonic_ns()
    spread = 10_000_000 // max(1, len(probers))
    async with asyncio.TaskGroup() as group:
        for number, prober in enumerate(probers):
            group.create_task(prober.run(begin + number * spread, stopping))
    for chore in chores:
        chore.cancel()
    recorder.flush()
    _say(recorder.status())


async def _flush(recorder: Recorder) -> None:
    while True:
        await asyncio.sleep(FLUSH_S)
        recorder.flush()


async def _tell(recorder: Recorder) -> None:
    while True:
        _say(recorder.status())
        await asyncio.sleep(1)


def _say(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:
        return  # nobody listens any more; the lifeline ends the process


def main() -> int:
    """Exit status 0 after an orderly stop, 2 when the spec cannot be used."""
    if len(sys.argv) != 2:
        print("usage: python -m chaosblink.workloads SPEC.json", file=sys.stderr)
        return 2
    try:
        spec = read_spec(File(sys.argv[1]))
        for path in spec.paths:
            path_of(spec, path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"spec {sys.argv[1]}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    take_precedence()
    uvloop.run(run(spec))
    return 0


if __name__ == "__main__":
    sys.exit(main())
