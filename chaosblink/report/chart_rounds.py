"""Charts over all rounds of an experiment: where the time of each recovery went, and every outage against its bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

from chaosblink.report.blame import MEANINGS, STAGES, Blame
from chaosblink.report.svg import TOKENS, WIDE, Drawing, Figure, Rows, figure

_SEGMENTS = [TOKENS["seg1"], TOKENS["seg2"], TOKENS["seg3"], TOKENS["seg4"]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A line to measure against: its name and milliseconds."""

    name: str
    ms: float


def blame_bars(rounds: list[tuple[str, Blame]]) -> Figure | None:
    """One bar a round, a segment a stage: how long after the stage before it each came; None when nothing was seen."""
    rows, labels = [], []
    for name, blame in rounds:
        rows += _segments(name, blame)
        labels.append(
            {"round": name, "label": f"{name}, {blame.kind}", "long": f"{name}, {blame.kind}: {_words(blame)}"}
        )
    if not rows:
        return None
    longest = max(row["end"] for row in rows) * 1.02
    order = [name for name, _ in rounds]

    def draw(width: int) -> Drawing:
        x = alt.X(
            "start:Q",
            title="milliseconds after the fault bit (t0)",
            scale=alt.Scale(domain=[0, longest], nice=False),
            axis=alt.Axis(tickCount=10 if width == WIDE else 4, format=",d"),
        )
        colour = alt.Color("stage:N", title=None, scale=alt.Scale(domain=list(STAGES), range=_SEGMENTS))
        colour = colour.legend(columns=4 if width == WIDE else 2, symbolType="square")
        y = _row("round", order)
        bars = alt.Chart(alt.NamedData("segments")).mark_bar(size=14, yOffset=8).encode(x, alt.X2("end:Q"), y, colour)
        fits = [row for row in rows if (row["end"] - row["start"]) / longest * width > 11 + 6.5 * len(row["text"])]
        numbers = (
            alt.Chart(alt.NamedData("numbers"))
            .mark_text(dy=8.5, fontSize=10.5, color=TOKENS["page"])
            .encode(alt.X("middle:Q"), y, alt.Text("text:N"))
        )
        chart = alt.layer(bars, numbers, _names(y, "long" if width == WIDE else "label"), height=alt.Step(36))
        return chart, {"segments": rows, "numbers": fits, "labels": labels}

    meanings = ". ".join(f"{stage.capitalize()}: {MEANINGS[stage]}" for stage in STAGES)
    note = f"A stage reached before the one drawn last has no segment. {meanings}."
    return figure("Where the time went", "; ".join(str(label["long"]) for label in labels), draw, note)


def outage_strip(outages: dict[str, list[tuple[str, float | None]]], bounds: list[Bound]) -> Figure | None:
    """One line a path, one dot a round, against the bounds; rounds without a number are counted in the label."""
    rows: Rows = [
        {"path": path, "ms": ms, "beyond": ms > min((bound.ms for bound in bounds), default=ms)}
        for path, measured in outages.items()
        for _, ms in measured
        if ms is not None
    ]
    if not rows:
        return None
    labels = [
        {"path": path, "label": f"{path}: {_spread([ms for _, ms in values])}"} for path, values in outages.items()
    ]
    longest = max([row["ms"] for row in rows] + [bound.ms for bound in bounds]) * 1.06
    lines = [
        {"ms": bound.ms, "label": f"{bound.name} {bound.ms:,.0f}", "line": index, "right": bound.ms > longest / 2}
        for index, bound in enumerate(sorted(bounds, key=lambda bound: bound.ms))
    ]

    def draw(width: int) -> Drawing:
        x = alt.X(
            "ms:Q",
            title="outage, milliseconds",
            scale=alt.Scale(domain=[0, longest], nice=False),
            axis=alt.Axis(tickCount=10 if width == WIDE else 4, format=",d"),
        )
        # The first row holds no path but the names of the bounds, so that they cover nothing.
        y = _row("path", ["", *outages])
        dots = alt.Chart(alt.NamedData("dots")).mark_point(size=46, strokeWidth=1.8, yOffset=7)
        rules = alt.Chart(alt.NamedData("bounds"))
        rule = rules.mark_rule(color=TOKENS["fail"], strokeWidth=1.4, strokeDash=[5, 3]).encode(x)
        chart = alt.layer(
            rule, *_bound_names(rules, x), dots.encode(x, y, *_marked()), _names(y, "label"), height=alt.Step(32)
        )
        return chart, {"dots": rows, "bounds": lines, "labels": labels}

    summary = "; ".join(str(label["label"]) for label in labels + lines)
    return figure(
        "Outage of every path, every round", summary, draw, "Each mark is a round; beyond a bound it is a cross."
    )


def _marked() -> tuple[alt.Color, alt.Shape]:
    """Within the lowest bound a circle, beyond it a cross of another colour."""
    domain = [False, True]
    colour = alt.Color("beyond:N", legend=None, scale=alt.Scale(domain=domain, range=[TOKENS["ok"], TOKENS["fail"]]))
    return colour, alt.Shape("beyond:N", legend=None, scale=alt.Scale(domain=domain, range=["circle", "cross"]))


def _bound_names(rules: alt.Chart, x: alt.X) -> list[alt.Chart]:
    """Names of the bounds in the first row, one under the other, on the side of the line that has room."""
    texts = []
    for line in (0, 1):
        for right in (True, False):
            chosen = rules.transform_filter((alt.datum.right == right) & (alt.datum.line == line))
            side: dict[str, Any] = {"align": "right", "dx": -5} if right else {"align": "left", "dx": 5}
            mark = chosen.mark_text(**side, fontSize=11, color=TOKENS["fail"])
            texts.append(mark.encode(x, alt.YValue(7 + 14 * line), alt.Text("label:N")))
    return texts


def _segments(name: str, blame: Blame) -> Rows:
    """Segments from stage to stage; a stage that came before the one drawn last has none."""
    rows, reached = [], 0.0
    for stage in blame.stages:
        if stage.ms is not None and stage.ms > reached:
            text = f"{stage.ms - reached:,.0f}"
            middle = (reached + stage.ms) / 2
            rows.append(
                {"round": name, "stage": stage.name, "start": reached, "end": stage.ms, "middle": middle, "text": text}
            )
            reached = stage.ms
    return rows


def _words(blame: Blame) -> str:
    parts = [f"{stage.name} {blame.text(stage)}" for stage in blame.stages if blame.expects(stage)]
    return ", ".join(parts) + " ms"


def _spread(values: list[float | None]) -> str:
    known = sorted(value for value in values if value is not None)
    middle = known[len(known) // 2] if len(known) % 2 else sum(known[len(known) // 2 - 1 : len(known) // 2 + 1]) / 2
    words = f"median {middle:,.0f}, max {known[-1]:,.0f} ms, n {len(known)}" if known else "no figure"
    lacking = len(values) - len(known)
    return words + (f"; {lacking} unknown" if lacking else "")


def _row(field: str, order: list[str]) -> alt.Y:
    axis = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    return alt.Y(f"{field}:N", scale=alt.Scale(domain=order), title=None, axis=axis)


def _names(y: alt.Y, field: str) -> alt.Chart:
    texts = alt.Chart(alt.NamedData("labels")).mark_text(align="left", dx=2, dy=-9, fontSize=11, color=TOKENS["ink"])
    return texts.encode(alt.XDatum(0), y, alt.Text(f"{field}:N"))
