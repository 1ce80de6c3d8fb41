"""Render a run folder as one HTML file that opens offline, prints, and leads with the sign-off table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaosblink.report import conditions, sign_off
from chaosblink.report.experiment_view import Measured, experiment_view, measure
from chaosblink.report.recording import Run, load
from chaosblink.report.templates import rendered
from chaosblink.report.verdict_view import HEADINGS, SYMBOLS, whole

WHOLE_SYMBOLS = {"KEPT": "✓", "BROKEN": "✗", "UNKNOWN": "?"}


def render(run: Path) -> Path:
    """Write index.html into the run folder and return its path; NotADirectoryError when there is no such folder.

    Judges the run again when verdicts.json is missing. Files that are missing are named on the page.
    """
    loaded = load(run)
    measured = [(experiment, measure(experiment)) for experiment in loaded.experiments]
    page = rendered(
        "report.html.j2",
        experiments=[experiment_view(loaded, experiment, rounds) for experiment, rounds in measured],
        **_frame(loaded, [pair for _, rounds in measured for pair in rounds]),
    )
    path = run / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _frame(run: Run, rounds: Measured) -> dict[str, Any]:
    """Everything of the page that is not an experiment's section."""
    judged = whole(run.verdicts, release=bool((run.facts.get("options") or {}).get("release")))
    return {
        "whole": {"word": judged.word, "sentence": judged.sentence, "symbol": WHOLE_SYMBOLS[judged.word]}
        | {"counts": judged.counts},
        "symbols": SYMBOLS,
        "headings": HEADINGS,
        "groups": sign_off.groups(run),
        "bounds": sign_off.bounds(run),
        "conditions": conditions.tables(run),
        "commands": conditions.commands(run),
        "page": {
            "platform": str(run.facts.get("platform") or "BlinkChamber"),
            "when": conditions.when(run),
            "facts": conditions.header_facts(run),
            "stand_ins": conditions.stand_ins(run),
            "missing": run.missing,
            "folder": run.folder.resolve().name,
            "rounds": len(rounds),
            "disturbed": sum(bool(found.disturbed) for _, found in rounds),
            "uncertainty": _uncertainty(rounds),
        },
    }


def _uncertainty(rounds: Measured) -> str:
    brackets = [stage.bracket_ms for _, found in rounds if found.blame for stage in found.blame.stages if stage.ms]
    if not brackets:
        return "No bracketed answer was used."
    widest = max(brackets)
    doubt = "more than 20 ms, so that stage is uncertain by as much" if widest > 20 else "within the 20 ms allowed"
    return (
        "A server's answer is bracketed by question and reply, and the earlier bound is used; "
        f"the widest bracket was {widest:,.1f} ms, {doubt}."
    )
