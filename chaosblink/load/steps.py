"""One step of load, from the lines Locust's users wrote: how much was done and how long it took. Pure functions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

SETUP = "machine-setup"
"""Requests that only prepare a user; they are no part of the mix."""
LOGIN = "token"
"""The last request of a login: whoever succeeds in it has logged in."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a step that counts, in nanoseconds of `time.monotonic_ns()`: without start and end of the load."""

    begin: int
    end: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.begin) / 1e9


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of request in a step; times are milliseconds."""

    per_s: float
    median_ms: float
    p95_ms: float
    failed: int


@dataclass(frozen=True, slots=True)
class Step:
    """What so many users did; CPU in cores (1.0 is one core all the time)."""

    users: int
    seconds: float
    requests_per_s: float
    logins_per_s: float
    median_ms: float
    p95_ms: float
    failed: int
    generator_cores: float
    machine_cores: float
    operations: dict[str, Operation]

    @property
    def requests_per_generator_core(self) -> float:
        """Requests a second that one core of load generator would drive at this step's price a request."""
        return self.requests_per_s / self.generator_cores if self.generator_cores else 0.0


def read(logins: Path) -> list[dict[str, Any]]:
    """The lines of a step; the last one may have been cut off by the end of the load and is then left out."""
    lines = logins.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def summarised(
    users: int, lines: Iterable[dict[str, Any]], window: Window, generator_cores: float, machine_cores: float
) -> Step:
    """The step's figures, from requests that ended inside the window; ValueError when there are too few to count."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if window.begin <= line["end"] < window.end and line["step"] != SETUP:
            kinds[line["step"]].append(line)
    every = [line for kind in kinds.values() for line in kind]
    done = [line for line in every if line["ok"]]
    if len(done) < 20:
        raise ValueError(f"only {len(done)} requests succeeded with {users} users: nothing can be said of it")
    median, p95 = _percentiles(done)
    return Step(
        users,
        round(window.seconds, 2),
        round(len(done) / window.seconds, 2),
        round(sum(line["ok"] for line in kinds[LOGIN]) / window.seconds, 2),
        median,
        p95,
        len(every) - len(done),
        round(generator_cores, 3),
        round(machine_cores, 3),
        {name: _operation(kind, window) for name, kind in sorted(kinds.items()) if kind},
    )


def _operation(lines: list[dict[str, Any]], window: Window) -> Operation:
    done = [line for line in lines if line["ok"]]
    median, p95 = _percentiles(done) if done else (0.0, 0.0)
    return Operation(round(len(done) / window.seconds, 2), median, p95, len(lines) - len(done))


def _percentiles(lines: list[dict[str, Any]]) -> tuple[float, float]:
    """Median and 95th percentile of the durations, in milliseconds."""
    durations = sorted((line["end"] - line["start"]) / 1e6 for line in lines)
    if len(durations) == 1:
        return round(durations[0], 2), round(durations[0], 2)
    cuts = quantiles(durations, n=20, method="inclusive")
    return round(cuts[9], 2), round(cuts[18], 2)
