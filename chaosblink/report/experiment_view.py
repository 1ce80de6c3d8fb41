"""The section of one experiment: what was done, all rounds in figures, the worst round in full."""

from __future__ import annotations

from typing import Any

from chaosblink.report import chart_round, chart_rounds
from chaosblink.report.blame import STAGES
from chaosblink.report.chart_rounds import Bound
from chaosblink.report.figures import PathFigures, RoundFigures, figures
from chaosblink.report.recording import Experiment, Round, Run
from chaosblink.report.sign_off import anchor, counts
from chaosblink.report.svg import Figure
from chaosblink.report.verdict_view import amount

View = dict[str, Any]
Measured = list[tuple[Round, RoundFigures]]


def experiment_view(run: Run, experiment: Experiment, measured: Measured) -> View:
    """Everything the template shows of one experiment; `measured` holds its rounds in order."""
    worst = max(measured, key=lambda pair: pair[1].worst_ms(), default=None)
    return {
        "anchor": anchor(experiment.name),
        "title": experiment.title,
        "done": _done(experiment),
        "counts": counts(run, experiment.name),
        "gone": not experiment.rounds,
        "problems": _not_found(run, experiment) + _problems(measured),
        "charts": [chart for chart in _charts(run, experiment, measured) if chart],
        "columns": _columns(measured),
        "rounds": [_round_row(pair, worst, measured) for pair in measured],
        "note": _note(measured),
        "paths": _path_rows(measured),
        "stores": _stores(measured),
        "worst": _worst(*worst) if worst and worst[0].operations else None,
        "open": False,
    }


def measure(experiment: Experiment) -> Measured:
    """The figures of every round."""
    return [(recording, figures(recording)) for recording in experiment.rounds]


def _done(experiment: Experiment) -> str:
    rounds = experiment.rounds
    selectors = sorted({str(one.details["selector"]) for one in rounds if one.details.get("selector")})
    faults = {event.data.get("fault") for one in rounds for event in one.events if event.kind == "fault"}
    victims = [", ".join(one.victims) or "unknown" for one in rounds]
    what = (
        f"{' and '.join(sorted(str(fault) for fault in faults if fault)) or 'fault'} on {', '.join(selectors) or '?'}"
    )
    times = "once" if len(rounds) == 1 else f"{len(rounds)} times"
    description = next((one.journal.get("experiment", {}).get("description") for one in rounds if one.journal), "")
    said = f"{str(description).strip()} " if description and description != experiment.title else ""
    return f"{said}Injected {times}: {what}. The victim was {', then '.join(victims) or 'unknown'}."


def _not_found(run: Run, experiment: Experiment) -> list[str]:
    """Rounds of the plan that have no folder."""
    found = {f"{experiment.name}/{one.name}" for one in experiment.rounds}
    planned = [entry for entry in run.plan.get("rounds", []) if isinstance(entry, dict)]
    mine = [str(entry.get("folder")) for entry in planned if entry.get("experiment") == experiment.name]
    return [f"{folder} was planned and is missing. It counts as unknown." for folder in mine if folder not in found]


def _problems(measured: Measured) -> list[str]:
    problems = []
    for recording, found in measured:
        if recording.missing:
            problems.append(f"{recording.name}: {', '.join(recording.missing)}. What it would tell is unknown.")
        if recording.events and recording.t0 is None:
            problems.append(
                f"{recording.name}: the timeline tells no moment at which the fault bit, so nothing is timed."
            )
        if found.disturbed:
            problems.append(
                f"{recording.name} is disturbed: {found.disturbed}. Its timing does not count, its integrity does."
            )
        if found.residue:
            problems.append(f"{recording.name}: left behind by the fault: {'; '.join(found.residue)}.")
        status = recording.journal.get("status")
        if status and status != "completed":
            problems.append(f"{recording.name}: Chaos Toolkit ended with the status {status}.")
    return problems


def _charts(run: Run, experiment: Experiment, measured: Measured) -> list[Figure | None]:
    blames = [(f"{_short(one)}", found.blame) for one, found in measured if found.blame]
    outages: dict[str, list[tuple[str, float | None]]] = {}
    for recording, found in measured:
        for path in found.paths:
            if path.focus:
                outages.setdefault(path.path, []).append((recording.name, path.outage.ms if path.outage else None))
    return [
        chart_rounds.blame_bars([(name, one) for name, one in blames if one]),
        chart_rounds.outage_strip(outages, _bounds(run, experiment)),
    ]


def _bounds(run: Run, experiment: Experiment) -> list[Bound]:
    """The promised bound on the outage of the component under fault, and the configured one."""
    component = next((one.recorded.component for one in experiment.rounds if one.recorded.component), "")
    promised = [
        float(verdict["bound"])
        for verdict in run.verdicts
        if (verdict.get("experiment"), verdict.get("promise")) == (experiment.name, f"{component}-writes-back")
        and isinstance(verdict.get("bound"), int | float)
    ]
    configured = [((one.details.get("bounds") or {}).get(component) or {}).get("ms") for one in experiment.rounds]
    lines = [Bound("promised", min(promised))] if promised else []
    numbers = [float(ms) for ms in configured if isinstance(ms, int | float)]
    return lines + ([Bound("configured", max(numbers))] if numbers else [])


def _columns(measured: Measured) -> list[View]:
    paths = [{"name": path, "unit": "outage, ms"} for path in _focus_paths(measured)]
    stages = [{"name": stage.capitalize(), "unit": "ms after t0"} for stage in STAGES]
    rest = [
        ("Redundant", "ms after t0"),
        ("Failover", ""),
        ("Failed", "ops"),
        ("Unknown", "ops"),
        ("Acknowledged", "ops"),
    ]
    return [*paths, *stages, *({"name": name, "unit": unit} for name, unit in rest)]


def _round_row(pair: tuple[Round, RoundFigures], worst: tuple[Round, RoundFigures] | None, measured: Measured) -> View:
    recording, found = pair
    outages = {path.path: path for path in found.paths}
    cells = [_outage(outages.get(path)) for path in _focus_paths(measured)]
    blame = found.blame
    cells += [blame.text(stage) for stage in blame.stages] if blame else ["?"] * len(STAGES)
    cells += [
        "?" if found.redundant_ms is None else amount(round(found.redundant_ms)),
        blame.kind if blame else "?",
        *(amount(sum(getattr(path, word) for path in found.paths)) for word in ("failed", "unknown", "acknowledged")),
    ]
    return {
        "name": _short(recording),
        "href": f"{recording.experiment}/{recording.name}/",
        "cells": cells,
        "disturbed": found.disturbed,
        "worst": worst is not None and worst[0] is recording and len(measured) > 1,
    }


def _note(measured: Measured) -> str:
    resolutions = {
        f"{path.path} {path.interval_ms:g} ms"
        for _, found in measured
        for path in found.paths
        if path.interval_ms and path.focus
    }
    brackets = [stage.bracket_ms for _, found in measured if found.blame for stage in found.blame.stages]
    widest = max(brackets, default=0.0)
    unsure = f" The widest bracket of an answer was {widest:,.0f} ms" + (": uncertain." if widest > 20 else ".")
    return (
        "Outage: t0 to the first success from which the path stays up for 3 s and 50 successes, or for 10 s; "
        "0 when none failed. "
        f"Resolution: {', '.join(sorted(resolutions)) or 'not recorded'}.{unsure if brackets else ''}"
    )


def _path_rows(measured: Measured) -> list[View]:
    names = dict.fromkeys(path.path for _, found in measured for path in found.paths)
    return [
        {
            "name": name,
            "rows": [
                {"round": recording.name.removeprefix("round-"), "cells": _path_cells(path)}
                for recording, found in measured
                for path in found.paths
                if path.path == name
            ],
        }
        for name in names
    ]


def _path_cells(path: PathFigures) -> list[str]:
    found = path.outage
    if found is None:
        times = ["?"] * 4
    else:
        share = "?" if found.availability is None else f"{100 * found.availability:.2f}"
        times = [_outage(path), amount(round(found.downtime_ms)), amount(round(found.longest_gap_ms)), share]
    tallies = [amount(value) for value in (path.total, path.acknowledged, path.failed, path.unknown)]
    return [*times, *tallies, "?" if path.interval_ms is None else f"{path.interval_ms:g}"]


def _stores(measured: Measured) -> list[View]:
    rows: dict[str, View] = {}
    for recording, found in measured:
        for store in found.stores:
            row = rows.setdefault(
                store.store, {"acknowledged": 0, "lost": 0, "phantom": 0, "duplicate": 0, "unread": 0, "why": []}
            )
            row["acknowledged"] += store.acknowledged
            for word in ("lost", "phantom", "duplicate"):
                row[word] += getattr(store, word) or 0
            row["unread"] += store.lost is None
            if store.why:
                row["why"].append(f"{recording.name}: {store.why}")
    return [_store_row(name, row, len(measured)) for name, row in rows.items()]


def _store_row(name: str, row: View, rounds: int) -> View:
    more = " + ?" if row["unread"] else ""
    words = {
        word: "?" if row["unread"] == rounds else amount(row[word]) + more for word in ("lost", "phantom", "duplicate")
    }
    bad = {f"bad_{word}": row[word] > 0 for word in ("lost", "phantom", "duplicate")}
    return (
        {"store": name, "acknowledged": amount(row["acknowledged"]), "why": "; ".join(row["why"]) or "none"}
        | words
        | bad
    )


def _worst(recording: Round, found: RoundFigures) -> View:
    view = chart_round.window(recording, found.redundant_ms)
    charts: list[Figure | None] = []
    if view:
        focus = [path.path for path in found.paths if path.focus]
        charts = [
            chart_round.lanes(recording, view, [path.path for path in found.paths]),
            *(chart_round.latency(recording, view, path) for path in focus),
            chart_round.logins(recording, view),
            chart_round.cpu(recording, view),
        ]
    return {
        "name": _short(recording),
        "said": _window_words(recording, found),
        "charts": [chart for chart in charts if chart],
        "errors": found.errors,
    }


def _window_words(recording: Round, found: RoundFigures) -> str:
    if recording.t0 is None:
        return "Without t0 nothing can be drawn on a time axis."
    end = "full redundancy" if found.redundant_ms is not None else "the fault proven gone, or the end of the recording"
    t0 = recording.t0
    open_at_t0 = sum(one.start <= t0 < one.end for one in recording.operations)
    return (
        f"{open_at_t0:,} operations were in flight, that is open at t0. "
        f"The line is t0, the shaded part reaches from t0 to {end}. Successes are summarised in bins of 100 ms "
        "(two intervals for slower paths); operations that failed or are unknown are all drawn."
    )


def _focus_paths(measured: Measured) -> list[str]:
    return list(dict.fromkeys(path.path for _, found in measured for path in found.paths if path.focus))


def _outage(path: PathFigures | None) -> str:
    if path is None or path.outage is None:
        return "?"
    if path.outage.ms is not None:
        return amount(round(path.outage.ms))
    return f"over {amount(round(path.outage.at_least_ms))}" if path.outage.at_least_ms else "?"


def _short(recording: Round) -> str:
    repeats = recording.details.get("repeats")
    return recording.name.replace("round-", "round ") + (f" (repeats {repeats})" if repeats else "")
