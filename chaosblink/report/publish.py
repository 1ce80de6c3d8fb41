"""Judge a run from its folder and write what people and CI read: verdicts.json, junit.xml, index.html."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chaosblink.report import junit, render
from chaosblink.verdicts import read_verdicts, write_verdicts

COLOURS = {"pass": "green", "fail": "red", "unknown": "magenta", "not run": "yellow"}


def publish(run: Path) -> Path:
    """Write all three files anew and return the page's path."""
    write_verdicts(run)
    junit(run)
    return render(run)


def kept(run: Path) -> bool:
    """Whether every verdict is pass or not run, and there is at least one pass: the exit status of a run."""
    words = [verdict.verdict for verdict in read_verdicts(run)]
    return "pass" in words and set(words) <= {"pass", "not run"}


def print_table(run: Path) -> None:
    """Print the verdicts as a table, coloured on a terminal only; what failed says why."""
    table = Table(box=None, pad_edge=False)
    for heading in ("experiment", "promise", "bound", "median", "max", "n", "verdict"):
        table.add_column(heading, justify="right" if heading in ("bound", "median", "max", "n") else "left")
    for each in read_verdicts(run):
        bound = "" if each.bound is None else f"{each.bound:g} {each.unit}"
        figures = [_figure(each.measured.get(name)) for name in ("median", "max", "n")]
        word = f"[{COLOURS[each.verdict]}]{each.verdict}[/]"
        table.add_row(escape(each.experiment), escape(each.promise), bound, *figures, word)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for each in read_verdicts(run):
        if each.verdict not in ("pass", "not run"):
            console.print(f"{each.verdict.upper()}: {each.experiment}: {each.why}", markup=False)


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"
