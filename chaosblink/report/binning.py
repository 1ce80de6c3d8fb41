"""Down-sample a history for drawing: successes are summarised, operations that did not succeed are never dropped."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

from chaosblink.history import Event, Operation

ALL, SOME, NONE = "every operation succeeded", "some succeeded", "none succeeded"
BIN_MS = 100.0

Row = dict[str, Any]


def seconds(at: int, t0: int) -> float:
    """Seconds after t0, negative before it."""
    return (at - t0) / 1e9


def spans(operations: Iterable[Operation], t0: int, bin_ms: float) -> list[Row]:
    """Runs of equal bins as {start, end, state}, seconds after t0; a bin with no operation is a gap."""
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for operation in operations:
        cell = counts[_bin(operation.start, t0, bin_ms)]
        cell[0] += 1
        cell[1] += operation.outcome == "ok"
    rows: list[Row] = []
    for index in sorted(counts):
        total, succeeded = counts[index]
        state = ALL if succeeded == total else NONE if succeeded == 0 else SOME
        start, end = index * bin_ms / 1000, (index + 1) * bin_ms / 1000
        if rows and rows[-1]["state"] == state and math.isclose(rows[-1]["end"], start, abs_tol=1e-6):
            rows[-1]["end"] = round(end, 3)
        else:
            rows.append({"start": round(start, 3), "end": round(end, 3), "state": state})
    return rows


def latencies(operations: Iterable[Operation], t0: int, bin_ms: float) -> list[Row]:
    """Of the successes of each bin the median and the slowest: {at, median, slowest}, milliseconds over seconds.

    Where bins without a success lie between, one row of None breaks the line: nothing is drawn that was not measured.
    """
    bins: dict[int, list[float]] = defaultdict(list)
    for operation in operations:
        if operation.outcome == "ok":
            bins[_bin(operation.start, t0, bin_ms)].append(_latency(operation))
    rows: list[Row] = []
    for index, values in sorted(bins.items()):
        at = (index + 0.5) * bin_ms / 1000
        if rows and index - 1 not in bins:
            rows.append({"at": at - bin_ms / 1000, "median": None, "slowest": None})
        rows.append({"at": at, "median": round(median(values), 2), "slowest": round(max(values), 2)})
    return rows


def misses(operations: Iterable[Operation], t0: int, step_s: float) -> list[Row]:
    """Every operation that failed or is unknown, those that would cover the same dot of the chart drawn once.

    `step_s` is the width of a dot in seconds, its height a twentieth of a decade. Rows: {at, ms, outcome, count}.
    """
    cells: dict[tuple[int, int, str], int] = defaultdict(int)
    for operation in operations:
        if operation.outcome != "ok":
            level = round(math.log10(_latency(operation)) * 20)
            cells[(math.floor(seconds(operation.start, t0) / step_s), level, operation.outcome)] += 1
    return [
        {
            "at": round((column + 0.5) * step_s, 3),
            "ms": round(10 ** (level / 20), 3),
            "outcome": outcome,
            "count": count,
        }
        for (column, level, outcome), count in sorted(cells.items())
    ]


def success_rate(outcomes: Iterable[tuple[int, bool]], t0: int, bin_ms: float) -> list[Row]:
    """Percent of successes per bin, from (start, succeeded): {at, rate, total}; a bin with none is left out."""
    bins: dict[int, list[bool]] = defaultdict(list)
    for start, succeeded in outcomes:
        bins[_bin(start, t0, bin_ms)].append(succeeded)
    return [
        {
            "at": (index + 0.5) * bin_ms / 1000,
            "rate": round(100 * sum(values) / len(values), 1),
            "total": len(values),
        }
        for index, values in sorted(bins.items())
    ]


def cpu_by_component(events: Iterable[Event], t0: int, bin_ms: float = 500.0) -> list[Row]:
    """Percent of one core a component uses, its instances' mean per bin summed: {at, component, percent}."""
    samples: dict[tuple[int, str], list[float]] = defaultdict(list)
    components: dict[str, str] = {}
    for event in events:
        percent = event.data.get("percent")
        if event.kind == "cpu" and isinstance(percent, int | float):
            instance = str(event.data.get("instance", ""))
            components[instance] = str(event.data.get("component") or component_of(instance))
            samples[(_bin(event.at, t0, bin_ms), instance)].append(percent)
    sums: dict[tuple[int, str], float] = defaultdict(float)
    for (index, instance), values in samples.items():
        sums[(index, components[instance])] += sum(values) / len(values)
    return [
        {"at": (index + 0.5) * bin_ms / 1000, "component": component, "percent": round(percent, 1)}
        for (index, component), percent in sorted(sums.items())
    ]


def component_of(instance: str) -> str:
    """`postgresql-1` -> `postgresql`; `redis-master-0` and `redis-replica-0` -> `redis`."""
    return "redis" if instance.startswith("redis-") else instance.rsplit("-", 1)[0]


def _bin(at: int, t0: int, bin_ms: float) -> int:
    return math.floor((at - t0) / 1e6 / bin_ms)


def _latency(operation: Operation) -> float:
    """Milliseconds from start to end, at least 0.1 so that a logarithmic axis can show it."""
    return max((operation.end - operation.start) / 1e6, 0.1)
