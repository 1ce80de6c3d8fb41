"""The page of a search for the knee, rendered from knee.json alone: what was offered, what was achieved, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from chaosblink.report import chart_load, conditions
from chaosblink.report.chart_load import is_number
from chaosblink.report.templates import rendered

KNEE = "knee.json"
NOT_TOLD = "not told"
BUSY = 0.9
"""A machine, or the core of a load generator, that is used by more than this has nothing left to give."""
COLUMNS = (
    ("Users", "", "users", "d"),
    ("Requests", "a second", "requests_per_s", ",.1f"),
    ("Logins", "a second", "logins_per_s", ",.2f"),
    ("Median", "ms", "median_ms", ",.1f"),
    ("p95", "ms", "p95_ms", ",.1f"),
    ("Failed", "requests", "failed", ",d"),
    ("Generator", "cores", "generator_cores", ".2f"),
    ("Machine", "cores", "machine_cores", ".2f"),
)
"""Heading, unit, name in a step and format of each column."""
OF_OPERATION = (("per_s", ",.2f"), ("median_ms", ",.1f"), ("p95_ms", ",.1f"), ("failed", ",d"))

Facts = dict[str, Any]


class Headline(NamedTuple):
    """What the page says first, and how it looks: `kept` where the knee is known, else `unknown`."""

    word: str
    sentence: str
    look: str


def render(folder: Path) -> Path:
    """Write index.html beside knee.json and return its path; OSError or ValueError when that cannot be read.

    What knee.json does not tell is named on the page, and no line is drawn of it.
    """
    said = json.loads((folder / KNEE).read_text(encoding="utf-8"))
    if not isinstance(said, dict):
        raise ValueError(f"{folder / KNEE} holds no measurement")
    page = folder / "index.html"
    page.write_text(rendered("load.html.j2", **_view(said, folder.resolve().name)), encoding="utf-8")
    return page


def _view(said: Facts, folder: str) -> dict[str, Any]:
    steps = [step for step in said.get("steps") or [] if isinstance(step, dict)]
    knee = said.get("knee") if isinstance(said.get("knee"), dict) else None
    at = next((step for step in steps if knee and step.get("users") == knee.get("users")), None)
    users = knee["users"] if knee and at else None
    charts = [chart_load.logins(steps, users), chart_load.latency(steps, users)]
    return {
        "headline": _headline(said, steps, knee, at),
        "numbers": _numbers(said, steps, at),
        "facts": _facts(said),
        "missing": _missing(said, steps, knee, at),
        "charts": [chart for chart in charts if chart],
        "columns": [(name, unit) for name, unit, _, _ in COLUMNS],
        "rows": [_cells(step, [(key, shape) for _, _, key, shape in COLUMNS], step is at) for step in steps],
        "operations": _operations(steps),
        "limit": _limit(said, at),
        "conditions": conditions.pairs({key: said[key] for key in said if key not in ("steps", "knee", "wall")}),
        "when": conditions.moment(said.get("wall")),
        "folder": folder,
    }


def _headline(said: Facts, steps: list[Facts], knee: Facts | None, at: Facts | None) -> Headline:
    if knee and at:
        rates = f"{_told(at, 'requests_per_s', ',.0f')} requests/s, {_told(at, 'logins_per_s', ',.1f')} logins/s"
        word = f"Knee at {at['users']} users"
        return Headline(word, f"{rates}. {knee.get('why') or 'The reason was not recorded'}.", "kept")
    if "knee" in said and said["knee"] is None and steps:
        most = _told(steps[-1], "users", "d")
        return Headline("No knee found", f"Up to {most} users, more of them still brought more work.", "unknown")
    return Headline("Unknown", "The measurement does not tell whether there was a knee, so none is claimed.", "unknown")


def _numbers(said: Facts, steps: list[Facts], at: Facts | None) -> list[tuple[str, str]]:
    """The figures beside the headline: at the knee, or at the last step where there is none."""
    shown, where = at or (steps[-1] if steps else {}), "at the knee" if at else "at the last step"
    drives = said.get("generator") if isinstance(said.get("generator"), dict) else {}
    return [
        (f"users {where}", _told(shown, "users", "d")),
        (f"requests/s {where}", _told(shown, "requests_per_s", ",.0f")),
        (f"logins/s {where}", _told(shown, "logins_per_s", ",.1f")),
        (f"ms, median {where}", _told(shown, "median_ms", ",.1f")),
        ("requests/s that one core of load generator drives", _told(drives or {}, "requests_per_core", ",.0f")),
    ]


def _facts(said: Facts) -> list[tuple[str, str]]:
    mix = said.get("mix") if isinstance(said.get("mix"), dict) else {}
    named = {
        "Target": said.get("target"),
        "When": conditions.moment(said.get("wall")),
        "Cores of the machine": said.get("cores"),
        "Identity": said.get("identity"),
        "Mix": (mix or {}).get("name"),
        "Seconds of a step": said.get("seconds_of_a_step"),
    }
    return [(name, NOT_TOLD if value in (None, "") else str(value)) for name, value in named.items()]


def _missing(said: Facts, steps: list[Facts], knee: Facts | None, at: Facts | None) -> list[str]:
    if not steps:
        return ["no step was recorded"]
    found = [] if "knee" in said else ["whether there was a knee"]
    if knee and not at:
        found.append(f"the knee is at {knee.get('users', NOT_TOLD)} users, and no step had so many")
    return found + chart_load.lacking(steps, list(dict.fromkeys((*chart_load.LOGINS_NEED, *chart_load.LATENCY_NEEDS))))


def _cells(step: Facts, columns: Sequence[tuple[str, str]], knee: bool) -> dict[str, Any]:
    return {"cells": [_told(step, key, shape) for key, shape in columns], "knee": knee}


def _operations(steps: list[Facts]) -> list[dict[str, Any]]:
    """Each kind of request over the steps."""
    told = [(step, step["operations"]) for step in steps if isinstance(step.get("operations"), dict)]
    names = sorted({name for _, operations in told for name in operations})
    return [
        {
            "name": name,
            "rows": [
                [_told(step, "users", "d"), *(_told(operations[name], key, shape) for key, shape in OF_OPERATION)]
                for step, operations in told
                if isinstance(operations.get(name), dict)
            ],
        }
        for name in names
    ]


def _limit(said: Facts, at: Facts | None) -> str:
    """Whose knee it is: a machine without idle cores, or a generator at its end, would show one of any platform."""
    machine, generator, cores = (at or {}).get("machine_cores"), (at or {}).get("generator_cores"), said.get("cores")
    if not (is_number(machine) and is_number(generator) and is_number(cores)):
        return ""
    used = f"At the knee the load generator used {generator:.2f} cores, the whole machine {machine:.2f} of {cores}"
    if generator >= BUSY:
        return f"{used}: one Locust process can do no more, so the knee may be the generator's."
    if machine >= BUSY * cores:
        return f"{used}: no core was idle, so the knee is the machine's and not the design's."
    return f"{used}: neither of them was at its end."


def _told(of: Facts, name: str, shape: str) -> str:
    value = of.get(name)
    if not is_number(value):
        return NOT_TOLD
    return format(round(value) if shape.endswith("d") else value, shape)
