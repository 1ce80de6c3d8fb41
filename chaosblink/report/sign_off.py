"""Rows of the sign-off table: each promise with its bounds, figures, reason, evidence and the command to repeat it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from chaosblink.report.recording import Run
from chaosblink.report.verdict_view import (
    NO_FIGURE,
    NOT_RUN,
    PASS,
    SYMBOLS,
    amount,
    dots,
    in_order,
    sentence,
    word_of,
)

Row = dict[str, Any]


def anchor(experiment: str) -> str:
    """The id of an experiment's section, safe in HTML and in a URL."""
    return "experiment-" + re.sub(r"[^A-Za-z0-9_-]+", "-", experiment)


def groups(run: Run) -> list[tuple[str, list[Row]]]:
    """(verdict word, rows), what failed first."""
    known = {experiment.name for experiment in run.experiments}
    formulas = {bound["component"]: bound["formula"] for bound in bounds(run)}
    return [
        (word, [_row(verdict, word, known, formulas) for verdict in members])
        for word, members in in_order(run.verdicts)
    ]


def bounds(run: Run) -> list[Row]:
    """Every configured bound that was live, once a component and value, with its formula and inputs."""
    rows: dict[tuple[str, str], Row] = {}
    for experiment in run.experiments:
        for recording in experiment.rounds:
            found = recording.details.get("bounds") or {}
            for component, bound in found.items() if isinstance(found, dict) else ():
                if isinstance(bound, dict):
                    row = _bound(str(component), bound)
                    rows[(row["component"], row["ms"] + row["formula"])] = row
    return list(rows.values())


def _bound(component: str, bound: Row) -> Row:
    inputs = bound.get("inputs") or {}
    live = inputs.items() if isinstance(inputs, dict) else ()
    return {
        "component": component,
        "ms": amount(bound.get("ms"), "ms"),
        "formula": str(bound.get("formula") or "not recorded"),
        "inputs": ", ".join(f"{name} = {amount(value)}" for name, value in live) or "not recorded",
    }


def _row(verdict: Row, word: str, known: set[str], formulas: dict[str, str]) -> Row:
    unit = str(verdict.get("unit") or "")
    measured = verdict.get("measured") or {}
    experiment, component = str(verdict.get("experiment") or ""), str(verdict.get("component") or "")
    configured = verdict.get("configured_bound")
    return {
        "sentence": sentence(verdict),
        "component": component,
        "experiment": experiment,
        "anchor": anchor(experiment) if experiment in known else "",
        "bound": amount(verdict.get("bound"), unit),
        "configured": amount(configured),
        "formula": formulas.get(component, "") if configured is not None else "",
        "median": amount(measured.get("median")),
        "max": amount(measured.get("max")),
        "n": amount(measured.get("n")),
        "why": str(verdict.get("why") or ("" if word == PASS else "No reason was given.")),
        "evidence": _links([str(path) for path in verdict.get("evidence") or []]),
        "reproduce": "" if word in (PASS, NOT_RUN) else str(verdict.get("reproduce") or ""),
        "scale": dots(verdict),
        "scale_words": _in_words(verdict, unit),
        "listed": _listed(measured.get("rounds")),
    }


def _links(paths: list[str]) -> list[dict[str, str]]:
    """Relative links into the run folder: one a round, to its folder (its files as title), one for any other file."""
    files: dict[str, list[str]] = {}
    for path in paths:
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        depth = next((depth for depth, part in enumerate(parts, 1) if part.startswith("round-")), len(parts))
        files.setdefault("/".join(parts[:depth]), []).append("/".join(parts[depth:]))
    return [_link(target, names) for target, names in files.items()]


def _link(target: str, names: list[str]) -> dict[str, str]:
    label = target.rsplit("/", 1)[-1].removeprefix("round-").lstrip("0")
    folder = "/" if any(names) else ""
    return {"href": quote(target + folder), "label": label, "text": ", ".join(filter(None, names)) or target}


def _listed(rounds: Any) -> str:
    values = rounds if isinstance(rounds, list) else []
    return ", ".join("?" if value is None else amount(value) for value in values) or NO_FIGURE


def _in_words(verdict: Row, unit: str) -> str:
    return (
        f"rounds {_listed((verdict.get('measured') or {}).get('rounds'))} {unit} against {amount(verdict.get('bound'))}"
    )


def counts(run: Run, experiment: str) -> list[tuple[str, int]]:
    """Verdicts of one experiment by word, in the order pass, fail, unknown, not run; words with none left out."""
    words = [word_of(verdict) for verdict in run.verdicts if verdict.get("experiment") == experiment]
    return [(word, words.count(word)) for word in SYMBOLS if word in words]
