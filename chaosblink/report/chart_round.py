"""Charts of one round over time: all paths, latency of one path, logins, CPU; t0 marked and the fault window shaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

from chaosblink.history import Operation
from chaosblink.report import binning
from chaosblink.report.recording import Round
from chaosblink.report.svg import TOKENS, WIDE, Chart, Drawing, Figure, figure

_GUTTER = 44
_STATES = [binning.ALL, binning.SOME, binning.NONE]
_WHO = ["prober (judges)", "Locust requests (corroborate)"]
_THICKNESS = {binning.ALL: 5, binning.SOME: 9, binning.NONE: 13}
_STATE_COLOURS = [TOKENS["ok"], TOKENS["unknown"], TOKENS["fail"]]


@dataclass(frozen=True, slots=True)
class Window:
    """What the time axis of a round shows: seconds after t0 of its ends and of the end of the fault."""

    t0: int
    start: float
    end: float
    fault_end: float

    def axis(self, width: int) -> alt.X:
        """The time axis all charts of the round share."""
        return alt.X(
            "at:Q",
            title="seconds after the fault bit (t0)",
            scale=alt.Scale(domain=[self.start, self.end], nice=False, clamp=True),
            axis=alt.Axis(tickCount=12 if width == WIDE else 5, grid=False, format="d"),
        )

    def layers(self) -> list[alt.Chart]:
        """The shaded fault window and the line at t0."""
        rows = [{"at": 0.0, "until": self.fault_end}]
        base = alt.Chart(alt.Data(values=rows))
        return [
            base.mark_rect(color=TOKENS["shade"]).encode(alt.X("at:Q"), alt.X2("until:Q")),
            base.mark_rule(color=TOKENS["ink"], strokeWidth=1).encode(alt.X("at:Q")),
        ]


def window(recording: Round, redundant_ms: float | None) -> Window | None:
    """The time window of a round, the whole recording; None without t0 or operations.

    The fault window reaches from t0 to full redundancy, or to the fault proven gone when that is not known.
    """
    t0 = recording.t0
    if t0 is None or not recording.operations:
        return None
    start = min(operation.start for operation in recording.operations)
    end = max(operation.end for operation in recording.operations)
    first, last, healed = (binning.seconds(at, t0) for at in (start, end, recording.healed or end))
    fault_end = healed if redundant_ms is None else redundant_ms / 1000
    return Window(t0, first, last, min(max(fault_end, 0.05), last))


def lanes(recording: Round, view: Window, paths: list[str]) -> Figure:
    """One lane a path: where every, some or no operation of each moment succeeded."""
    rows, labels = [], []
    for path in paths:
        operations = [operation for operation in recording.operations if operation.path == path]
        interval = float(recording.path_settings(path).get("interval_ms") or 0)
        rows += [
            row | {"path": path, "thickness": _THICKNESS[row["state"]]}
            for row in binning.spans(operations, view.t0, _bin_ms(interval))
        ]
        missed = sum(operation.outcome != "ok" for operation in operations)
        labels.append({"path": path, "label": f"{path}: {missed:,} of {len(operations):,} did not succeed"})

    def draw(width: int) -> Drawing:
        y = alt.Y("path:N", sort=paths, title=None, axis=alt.Axis(labels=False, ticks=False, domain=False, **_gutter()))
        colour = alt.Color("state:N", scale=alt.Scale(domain=_STATES, range=_STATE_COLOURS), title=None)
        colour = colour.legend(columns=3 if width == WIDE else 1, symbolType="square", symbolSize=110)
        thickness = alt.Size("thickness:Q", scale=None, legend=None)
        x = view.axis(width).copy()
        x.shorthand = "start:Q"
        bars = alt.Chart(alt.NamedData("spans")).mark_bar(yOffset=8).encode(x, alt.X2("end:Q"), y, colour, thickness)
        names = (
            alt.Chart(alt.NamedData("labels"))
            .mark_text(align="left", dx=4, dy=-8, fontSize=11, color=TOKENS["ink"])
            .encode(alt.XDatum(view.start), y, alt.Text("label:N"))
        )
        shade, line = view.layers()
        return alt.layer(shade, bars, line, names, height=alt.Step(34)), {"spans": rows, "labels": labels}

    summary = "; ".join(str(label["label"]) for label in labels)
    return figure("Every operation of every path", summary, draw)


def latency(recording: Round, view: Window, path: str) -> Figure:
    """Latency of one path: median and slowest success of each bin, and every operation that did not succeed."""
    operations = [operation for operation in recording.operations if operation.path == path]
    interval = float(recording.path_settings(path).get("interval_ms") or 0)
    summarised = binning.latencies(operations, view.t0, _bin_ms(interval))

    def draw(width: int) -> Drawing:
        step = (view.end - view.start) / (width - _GUTTER) * 2
        data = {"ok": summarised, "missed": binning.misses(operations, view.t0, step)}
        return _latency_chart(view, width), data

    failed, unknown = (sum(operation.outcome == word for operation in operations) for word in ("fail", "unknown"))
    summary = (
        f"{len(operations):,} operations, {failed:,} failed, {unknown:,} of unknown outcome; {_slowest(operations)}"
    )
    note = "Milliseconds, logarithmic. Line: median success; dots: slowest success of each bin."
    return figure(f"Latency of {path}", summary, draw, note)


def _latency_chart(view: Window, width: int) -> Chart:
    axis = alt.Axis(values=[0.1, 1, 10, 100, 1000, 10000], format=",~g", **_gutter())
    y: dict[str, Any] = {"title": None, "scale": alt.Scale(type="log", nice=True), "axis": axis}
    ok = alt.Chart(alt.NamedData("ok"))
    slowest = ok.mark_circle(size=7, opacity=0.55, color=TOKENS["ok"]).encode(view.axis(width), alt.Y("slowest:Q", **y))
    middle = ok.mark_line(color=TOKENS["ok"], strokeWidth=1.2).encode(view.axis(width), alt.Y("median:Q", **y))
    missed = (
        alt.Chart(alt.NamedData("missed"))
        .mark_point(size=28, filled=True, opacity=0.85)
        .encode(
            view.axis(width),
            alt.Y("ms:Q", **y),
            alt.Color("outcome:N", title=None, scale=_outcome_scale([TOKENS["fail"], TOKENS["unknown"]])),
            alt.Shape("outcome:N", title=None, scale=_outcome_scale(["cross", "diamond"])),
        )
    )
    shade, line = view.layers()
    return alt.layer(shade, line, slowest, middle, missed, height=130)


def logins(recording: Round, view: Window) -> Figure | None:
    """Share of logins that succeed in each second: the open-loop prober, and Locust beside it; None without logins."""
    probed = [(one.start, one.outcome == "ok") for one in recording.operations if one.path == "login"]
    load = [(one["start"], succeeded(one)) for one in recording.logins if isinstance(one.get("start"), int)]
    rows = []
    for name, outcomes in ((_WHO[0], probed), (_WHO[1], load)):
        rows += [row | {"who": name} for row in binning.success_rate(outcomes, view.t0, 1000.0)]
    if not rows:
        return None

    def draw(width: int) -> Drawing:
        y = alt.Y(
            "rate:Q",
            title=None,
            scale=alt.Scale(domain=[0, 100], nice=False),
            axis=alt.Axis(values=[0, 50, 100], **_gutter()),
        )
        colour = alt.Color("who:N", title=None, scale=alt.Scale(domain=_WHO, range=[TOKENS["ok"], TOKENS["line2"]]))
        dash = alt.StrokeDash("who:N", title=None, scale=alt.Scale(domain=_WHO, range=[[1, 0], [4, 3]]))
        lines = alt.Chart(alt.NamedData("rates")).mark_line(interpolate="step", strokeWidth=1.6, clip=True)
        shade, line = view.layers()
        return alt.layer(shade, line, lines.encode(view.axis(width), y, colour, dash), height=110), {"rates": rows}

    summary = f"{_tally('Prober', probed)}; {_tally('Locust requests', load)}"
    return figure("Logins that succeed", summary, draw, f"Percent of each second. {summary}.")


def cpu(recording: Round, view: Window) -> Figure | None:
    """CPU of each component under the outage; None when no sample was taken."""
    rows = binning.cpu_by_component(recording.events, view.t0)
    if not rows:
        return None
    components = sorted({row["component"] for row in rows})

    def draw(width: int) -> Drawing:
        y = alt.Y("percent:Q", title=None, axis=alt.Axis(tickCount=4, **_gutter()))
        colours = alt.Scale(
            domain=components, range=[TOKENS[f"line{index % 7 + 1}"] for index in range(len(components))]
        )
        dashes = alt.Scale(domain=components, range=[[1, 0], [5, 2], [2, 2], [8, 3], [1, 2], [6, 2, 1, 2], [3, 3]])
        legend = alt.Legend(columns=7 if width == WIDE else 3, symbolType="stroke", symbolSize=200)
        lines = alt.Chart(alt.NamedData("cpu")).mark_line(strokeWidth=1.4, clip=True)
        colour = alt.Color("component:N", title=None, scale=colours, legend=legend)
        dash = alt.StrokeDash("component:N", title=None, scale=dashes, legend=legend)
        shade, line = view.layers()
        return alt.layer(shade, line, lines.encode(view.axis(width), y, colour, dash), height=150), {"cpu": rows}

    peaks = {name: max(row["percent"] for row in rows if row["component"] == name) for name in components}
    words = ", ".join(f"{name} {peak:.0f} %" for name, peak in sorted(peaks.items(), key=lambda item: -item[1]))
    note = "Percent of one core, all instances of a component together."
    return figure("CPU of each component", f"Highest use of one core: {words}", draw, note)


def succeeded(request: dict[str, Any]) -> bool:
    """Whether one Locust request succeeded, by its `ok` or its `outcome`."""
    return request.get("ok") is True or request.get("outcome") == "ok"


def _tally(who: str, outcomes: list[tuple[int, bool]]) -> str:
    good = sum(ok for _, ok in outcomes)
    return f"{who}: {good:,} of {len(outcomes):,} succeeded" if outcomes else f"{who}: none recorded"


def _slowest(operations: list[Operation]) -> str:
    times = [(one.end - one.start) / 1e6 for one in operations if one.outcome == "ok"]
    return f"slowest success {max(times):,.0f} ms" if times else "no success"


def _outcome_scale(values: list[str]) -> alt.Scale:
    return alt.Scale(domain=["fail", "unknown"], range=values)


def _gutter() -> dict[str, Any]:
    return {"minExtent": _GUTTER, "maxExtent": _GUTTER}


def _bin_ms(interval_ms: float) -> float:
    """100 ms, or two intervals of a slower path, so that no bin is empty merely by jitter."""
    return max(binning.BIN_MS, 2 * interval_ms)
