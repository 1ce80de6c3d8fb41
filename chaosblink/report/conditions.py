"""What the run was measured with: header facts, versions, options, machine, resolutions, commands."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from chaosblink.report.recording import Run

Pairs = list[tuple[str, str]]
_NOT_RECORDED = "not recorded"


def header_facts(run: Run) -> Pairs:
    """Platform, target, when, duration, commit, seed: each named even when the run does not tell it."""
    facts = run.facts
    return [
        ("Platform", _text(facts.get("platform"))),
        ("Target", _text(facts.get("target"))),
        ("When", when(run)),
        ("Duration", duration(run)),
        ("Commit", _text(facts.get("commit"))[:40]),
        ("Seed", _text(facts.get("seed", run.plan.get("seed")))),
    ]


def when(run: Run) -> str:
    """The run's one wall-clock label."""
    return moment(run.facts.get("wall"))


def moment(wall: Any) -> str:
    """An ISO 8601 time in words; anything else as it is."""
    try:
        return datetime.fromisoformat(str(wall)).strftime("%d %B %Y, %H:%M %Z").strip()
    except ValueError:
        return _text(wall)


def duration(run: Run) -> str:
    """The run's own duration, or else from its first to its last recorded moment (which is then said)."""
    told = run.facts.get("duration_s")
    if isinstance(told, int | float):
        return _span(float(told))
    starts = [run.facts["monotonic_ns"]] if isinstance(run.facts.get("monotonic_ns"), int) else []
    moments = [event.at for experiment in run.experiments for one in experiment.rounds for event in one.events[:1]]
    ends = [event.at for experiment in run.experiments for one in experiment.rounds for event in one.events[-1:]]
    if not ends:
        return _NOT_RECORDED
    return _span((max(ends) - min(starts + moments)) / 1e9)


def stand_ins(run: Run) -> Pairs:
    """(the real product, what played it)."""
    return pairs(run.facts.get("stand_ins"))


def tables(run: Run) -> list[dict[str, Any]]:
    """Titled tables of everything run.json tells about the conditions."""
    titled = (
        ("Versions, asked of every server", "versions"),
        ("Options", "options"),
        ("Machine", "machine"),
        ("Values the platform was brought up with", "values"),
    )
    known = {key for _, key in titled} | {
        "platform",
        "target",
        "wall",
        "commit",
        "seed",
        "stand_ins",
        "resolutions",
        "duration_s",
    }
    rest = {key: value for key, value in run.facts.items() if key not in known}
    found = [{"title": title, "rows": pairs(run.facts.get(key))} for title, key in titled]
    found.insert(3, {"title": "Resolution of each path, ms", "rows": _resolutions(run)})
    return found + ([{"title": "Also recorded", "rows": pairs(rest)}] if rest else [])


def _resolutions(run: Run) -> Pairs:
    """Interval of each path, as the rounds really had it: `10`, or `10, 100` where it differs between experiments."""
    found: dict[str, set[float]] = {}
    for experiment in run.experiments:
        for recording in experiment.rounds:
            for path in recording.details.get("paths") or {}:
                interval = recording.path_settings(path).get("interval_ms")
                if isinstance(interval, int | float):
                    found.setdefault(str(path), set()).add(interval)
    return [(path, ", ".join(f"{one:g}" for one in sorted(intervals))) for path, intervals in sorted(found.items())]


def commands(run: Run) -> Pairs:
    """(round, the one command that repeats it), as planned."""
    entries = [entry for entry in run.plan.get("rounds", []) if isinstance(entry, dict) and entry.get("command")]
    return [(_text(entry.get("folder") or entry.get("experiment")), str(entry["command"])) for entry in entries]


def pairs(value: Any, prefix: str = "") -> Pairs:
    """Any JSON value as (name, text) rows; nested objects become dotted names."""
    if isinstance(value, dict):
        rows: Pairs = []
        for name, inner in value.items():
            deeper = isinstance(inner, dict) and inner
            rows += pairs(inner, f"{prefix}{name}.") if deeper else [(f"{prefix}{name}", _text(inner))]
        return rows
    if isinstance(value, list):
        return [(str(number), _text(inner)) for number, inner in enumerate(value, 1)]
    return [] if value in (None, "") else [("", _text(value))]


def _text(value: Any) -> str:
    if value is None or value == "" or value == {}:
        return _NOT_RECORDED
    if isinstance(value, list) and not any(isinstance(inner, dict | list) for inner in value):
        return ", ".join(map(str, value)) or _NOT_RECORDED
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
