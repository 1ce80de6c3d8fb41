"""Charts of a search for the knee: logins and latency of each step of users, and the knee among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import altair as alt

from chaosblink.report.svg import TOKENS, WIDE, Drawing, Figure, Rows, figure

Step = dict[str, Any]
OFFERED, ACHIEVED = "offered", "achieved"
MEDIAN, P95 = "median", "95th percentile"
LOGINS_NEED, LATENCY_NEEDS = ("users", "logins_per_s"), ("users", "median_ms", "p95_ms")
SOLID, DASHED = [1, 0], [5, 3]
HEADROOM = 1.15
"""The knee's name stands above every line."""


def lacking(steps: Sequence[Step], needs: Sequence[str]) -> list[str]:
    """What a chart needs and a step does not tell, in words; a figure that is no number is not told."""
    return [
        f"step {place} ({step.get('users', 'an unknown number of')} users) tells no {name}"
        for place, step in enumerate(steps, 1)
        for name in needs
        if not is_number(step.get(name)) or (name == "users" and step[name] < 1)
    ]


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def logins(steps: Sequence[Step], knee_users: int | None) -> Figure | None:
    """Logins a second that so many users offered and that were achieved; None when a step lacks a figure.

    Users wait for each answer, so what they offer depends on the platform. Offered is here what they would do if each
    went on as fast as the users of the first step.
    """
    if not steps or lacking(steps, LOGINS_NEED):
        return None
    each = steps[0]["logins_per_s"] / steps[0]["users"]
    rows = [_row(step, OFFERED, each * step["users"]) for step in steps]
    rows += [_row(step, ACHIEVED, step["logins_per_s"]) for step in steps]
    told = [f"{s['users']} users: {s['logins_per_s']:.1f} of {each * s['users']:.1f}" for s in steps]
    note = (
        "Logins a second. Offered: what the users would bring if each stayed as fast as in the first step; they wait"
        " for every answer and then go on at once."
    )
    looks = {OFFERED: (TOKENS["muted"], DASHED), ACHIEVED: (TOKENS["ok"], SOLID)}
    return _lines("Logins offered and achieved", told, rows, looks, knee_users, note)


def latency(steps: Sequence[Step], knee_users: int | None) -> Figure | None:
    """Median and 95th percentile of all requests of each step; None when a step lacks a figure."""
    if not steps or lacking(steps, LATENCY_NEEDS):
        return None
    rows = [_row(step, MEDIAN, step["median_ms"]) for step in steps]
    rows += [_row(step, P95, step["p95_ms"]) for step in steps]
    told = [f"{s['users']} users: median {s['median_ms']:.1f} ms, p95 {s['p95_ms']:.1f} ms" for s in steps]
    looks = {MEDIAN: (TOKENS["ok"], SOLID), P95: (TOKENS["line4"], DASHED)}
    note = "Milliseconds, all requests that succeeded in the step."
    return _lines("Latency of each step", told, rows, looks, knee_users, note)


def _row(step: Step, series: str, value: float) -> dict[str, Any]:
    return {"users": step["users"], "series": series, "value": round(value, 3)}


def _lines(
    title: str, told: list[str], rows: Rows, looks: dict[str, tuple[str, list[int]]], knee: int | None, note: str
) -> Figure:
    """The series over the users; `looks` are colour and dashes of each by name, in the order of the legend."""
    names, colours, dashes = list(looks), [colour for colour, _ in looks.values()], [dash for _, dash in looks.values()]
    users = sorted({row["users"] for row in rows})
    top, most = max(row["value"] for row in rows) * HEADROOM or 1.0, users[-1] * 1.03
    mark = [] if knee is None else [{"users": knee, "value": top, "label": f"knee: {knee} users"}]

    def draw(width: int) -> Drawing:
        x = alt.X(
            "users:Q",
            title="users at once",
            scale=alt.Scale(domain=[0, most], nice=False),
            axis=alt.Axis(values=users, format="d", grid=False, labelOverlap=True),
        )
        scale = alt.Scale(domain=[0, top], nice=False)
        y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5, format=",~g"))
        legend = alt.Legend(columns=2, symbolType="stroke", symbolSize=200)
        colour = alt.Color("series:N", title=None, scale=alt.Scale(domain=names, range=colours), legend=legend)
        dash = alt.StrokeDash("series:N", title=None, scale=alt.Scale(domain=names, range=dashes), legend=legend)
        points = alt.Chart(alt.NamedData("steps"))
        line = points.mark_line(strokeWidth=1.8).encode(x, y, colour, dash)
        dots = points.mark_point(filled=True, size=34, opacity=1).encode(x, y, colour.legend(None))
        chart = alt.layer(*_knee(x, y, right=bool(mark) and mark[0]["users"] > most / 2), line, dots)
        return chart.properties(height=220 if width == WIDE else 180), {"steps": rows, "knee": mark}

    where = f"; knee at {knee} users" if mark else "; no knee is marked"
    return figure(title, "; ".join(told) + where, draw, note)


def _knee(x: alt.X, y: alt.Y, right: bool) -> list[alt.Chart]:
    """A line at the knee and its name, on the side that has room; nothing where there is none."""
    found = alt.Chart(alt.NamedData("knee"))
    rule = found.mark_rule(color=TOKENS["fail"], strokeWidth=1.4, strokeDash=[5, 3]).encode(x)
    side: dict[str, Any] = {"align": "right", "dx": -5} if right else {"align": "left", "dx": 5}
    text = found.mark_text(**side, dy=8, fontSize=11, color=TOKENS["fail"]).encode(x, y, alt.Text("label:N"))
    return [rule, text]
