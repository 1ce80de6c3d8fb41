"""Altair charts as static inline SVG whose colours are CSS variables, so that they follow light, dark and print."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert
from altair.utils import schemapi
from markupsafe import Markup

WIDE, NARROW = 1040, 350
"""Widths in CSS pixels of the two renderings: page column and phone."""

TOKENS = {
    "ink": "#0a0b01",
    "muted": "#0a0b02",
    "grid": "#0a0b03",
    "page": "#0a0b04",
    "shade": "#0a0b05",
    "ok": "#0a0b06",
    "fail": "#0a0b07",
    "unknown": "#0a0b08",
    "seg1": "#0a0b09",
    "seg2": "#0a0b0a",
    "seg3": "#0a0b0b",
    "seg4": "#0a0b0c",
    "line1": "#0a0b0d",
    "line2": "#0a0b0e",
    "line3": "#0a0b0f",
    "line4": "#0a0b10",
    "line5": "#0a0b11",
    "line6": "#0a0b12",
    "line7": "#0a0b13",
}
"""Stand-in colours, one a CSS variable `--<name>`: the renderer knows no variables, so they are put in afterwards."""

_FONT = "sans-serif"
_CONFIG: dict[str, Any] = {
    "background": None,
    "font": _FONT,
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": TOKENS["muted"],
        "titleColor": TOKENS["muted"],
        "gridColor": TOKENS["grid"],
        "domainColor": TOKENS["grid"],
        "tickColor": TOKENS["grid"],
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelFont": _FONT,
        "titleFont": _FONT,
    },
    "legend": {
        "labelColor": TOKENS["ink"],
        "titleColor": TOKENS["muted"],
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "orient": "top",
        "symbolStrokeWidth": 2,
        "columnPadding": 18,
    },
}
_PADDING = {"left": 0, "right": 8, "top": 2, "bottom": 0}
_ids = itertools.count(1)

Rows = list[dict[str, Any]]
Chart = alt.LayerChart | alt.FacetChart
Drawing = tuple[Chart, dict[str, Rows]]
Draw = Callable[[int], Drawing]


@dataclass(frozen=True, slots=True)
class Figure:
    """One chart in two widths, ready for the page; `summary` says in words what it shows, `note` how to read it."""

    title: str
    summary: str
    wide: Markup
    narrow: Markup
    note: str = ""


def figure(title: str, summary: str, draw: Draw, note: str = "") -> Figure:
    """Render `draw(width) -> (chart, data)` at both widths; `data` are the named data sets (lists of flat dicts)."""
    wide, narrow = (_svg(draw, width, title, summary) for width in (WIDE, NARROW))
    return Figure(title, summary, wide, narrow, note)


def _svg(draw: Draw, width: int, title: str, summary: str) -> Markup:
    # Altair checks every object against its schema: most of the rendering time, for charts that never change.
    with schemapi.debug_mode(False):
        chart, data = draw(width)
        chart = chart.properties(width=width, padding=_PADDING, autosize={"type": "fit-x", "contains": "padding"})
        specification = chart.to_dict(validate=False)
    specification["config"] = _CONFIG
    specification["datasets"] = data
    return Markup(_dress(vl_convert.vegalite_to_svg(json.dumps(specification)), title, summary))


def _dress(svg: str, title: str, summary: str) -> str:
    """Variables for colours, the page's own font, short numbers, unique ids, and a name and description to be read."""
    for name, colour in TOKENS.items():
        svg = svg.replace(colour, f"var(--{name})")
    number = next(_ids)
    svg = re.sub(r' (?:aria-\w+|role|pointer-events|font-family|class)="[^"]*"', "", svg)
    svg = re.sub(r"(\.\d\d)\d+", r"\1", svg)
    svg = re.sub(r'\b(id="|url\(#)', rf"\1c{number}-", svg)
    size = re.search(r'width="([\d.]+)" height="([\d.]+)" viewBox="([^"]+)"', svg)
    box = size[3] if size else f"0 0 {WIDE} 300"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" aria-labelledby="t{number} d{number}">'
        f'<title id="t{number}">{html.escape(title)}</title><desc id="d{number}">{html.escape(summary)}</desc>'
    )
    return head + svg.split(">", 1)[1]
