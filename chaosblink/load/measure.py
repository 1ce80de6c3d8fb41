"""Runs the steps: one Locust process each, watched for the CPU it and the whole machine use, ended by itself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from chaosblink import components
from chaosblink.experiments import locust
from chaosblink.load.knee import Knee, knee, users_of_steps
from chaosblink.load.steps import Step, Window, read, summarised
from chaosblink.targets import PlatformError, Target
from chaosblink.waiting import until

WARM_UP_S = 3.0
"""Seconds from a step's first request that do not count: users are still starting, connections and caches are cold."""
START_WITHIN_S = 60.0
"""Seconds a Locust process may take to its first request."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to search: seconds that count of each step, users of the first and of the last possible step, the mix."""

    seconds: float = 12.0
    first: int = 1
    most: int = 64
    mix: str = "everyday"


def find_knee(target: Target, folder: Path, plan: Plan, progress: Callable[[str], None]) -> Path:
    """Step users up until `knee` says enough; writes `knee.json` into the folder and returns its path.

    PlatformError when a step shows nothing, since then nothing can be said of the platform either.
    """
    folder.mkdir(parents=True, exist_ok=True)
    steps: list[Step] = []
    found: Knee | None = None
    for users in users_of_steps(plan.first, plan.most):
        steps.append(_step(target, folder, plan, users))
        progress(told(steps[-1]))
        found = knee(steps)
        if found:
            break
    file = folder / "knee.json"
    file.write_text(json.dumps(_described(target, plan, steps, found), indent=1) + "\n", encoding="utf-8")
    return file


def told(step: Step) -> str:
    """A step in one line."""
    return (
        f"{step.users:3d} users: {step.requests_per_s:6.1f} requests/s, {step.logins_per_s:5.2f} logins/s, median"
        f" {step.median_ms:5.1f} ms, p95 {step.p95_ms:6.1f} ms, {step.failed} failed; generator"
        f" {step.generator_cores:.2f} of {step.machine_cores:.2f} busy cores"
    )


def concluded(file: Path) -> str:
    """What a measurement says, in two lines."""
    said = json.loads(file.read_text(encoding="utf-8"))
    at = said["knee"]
    knee_line = (
        f"knee: {at['users']} users, {at['requests_per_s']:.0f} requests/s; {at['why']}"
        if at
        else f"no knee up to {said['steps'][-1]['users']} users"
    )
    drives = said["generator"]["requests_per_core"]
    return f"{knee_line}\none core of load generator drives {drives:.0f} requests/s of this mix"


def _step(target: Target, folder: Path, plan: Plan, users: int) -> Step:
    logins = folder / f"users-{users:03d}.jsonl"
    logins.unlink(missing_ok=True)
    options = ["--headless", "--only-summary", "--loglevel", "WARNING", "--shape", "steady", "--mix", plan.mix]
    options += ["--users", str(users), "--spawn-rate", str(users), "--think-s", "0", "--logins", str(logins)]
    options += ["--run-time", str(round(START_WITHIN_S + WARM_UP_S + plan.seconds))]
    with (folder / f"users-{users:03d}.log").open("wb") as log:
        process = psutil.Popen(
            locust.command(target, *options),
            env={**os.environ, **locust.environment(target)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: _begun(process, logins), START_WITHIN_S, f"Locust's first request with {users} users")
            time.sleep(WARM_UP_S)  # the warm-up itself, not a wait for something
            begin, own, all_cores = time.monotonic_ns(), process.cpu_times(), _busy()
            time.sleep(plan.seconds)  # the measurement itself
            end, own_after, all_after = time.monotonic_ns(), process.cpu_times(), _busy()
        except psutil.NoSuchProcess:
            raise PlatformError(f"Locust ended early; see {log.name}") from None
        finally:
            _end(process)
    seconds = (end - begin) / 1e9
    generator = (own_after.user + own_after.system - own.user - own.system) / seconds
    try:
        return summarised(users, read(logins), Window(begin, end), generator, (all_after - all_cores) / seconds)
    except ValueError as error:
        raise PlatformError(f"{error}; see {log.name}") from None


def _begun(process: psutil.Popen, logins: Path) -> bool:
    if process.poll() is not None:
        raise PlatformError("Locust ended before its first request")
    return logins.exists() and logins.stat().st_size > 0


def _end(process: psutil.Popen) -> None:
    """End Locust as Ctrl-C would, so that its users remove their machines; kill it when it does not."""
    process.terminate()
    try:
        process.wait(15)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(5)


def _busy() -> float:
    """CPU seconds the machine has worked since its start, on all cores."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _described(target: Target, plan: Plan, steps: list[Step], found: Knee | None) -> dict[str, Any]:
    at_knee = next((step for step in steps if found and step.users == found.users), steps[-1])
    version = "unknown"
    with contextlib.suppress(Exception):
        version = components.of(target, "identity").version()
    return {
        "wall": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "target": target.kind,
        "cores": psutil.cpu_count(),
        "identity": version,
        "mix": {"name": plan.mix, "shares_per_cent": dict(locust.mixes()[plan.mix].shares)},
        "seconds_of_a_step": plan.seconds,
        "think_s": 0,
        "steps": [asdict(step) for step in steps],
        "knee": asdict(found) if found else None,
        "generator": {
            "requests_per_core": round(at_knee.requests_per_generator_core, 1),
            "how": "requests a second at the knee divided by the cores the Locust process used meanwhile",
        },
    }
