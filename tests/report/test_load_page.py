"""The page of a search for the knee, from synthetic steps: drawn, marked, and honest about what is missing."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chaosblink.cli import main
from chaosblink.load.knee import knee
from chaosblink.load.steps import Operation, Step
from chaosblink.report import chart_load, load_page
from tests.rendered_page import read

CAPACITY, IDLE_MS = 400.0, 10.0
HOSTILE = "<script>alert('x')</script>"


def step(users: int, capacity: float = CAPACITY, failed: int = 0) -> Step:
    """A server that does at most `capacity` requests a second: beyond that, users only wait for each other."""
    rate = min(users * 1000 / IDLE_MS, capacity)
    median, busy = users / rate * 1000, 2.0 * rate / capacity
    of_all = {"token": Operation(rate / 10, median, 2 * median, failed)}
    return Step(users, 10, rate, rate / 10, median, 2 * median, failed, rate / 1500, busy, of_all)


def measured(steps: list[Step]) -> dict[str, Any]:
    """What knee.json holds after these steps."""
    found = knee(steps)
    return {
        "wall": "2026-11-24T20:15:00+0000",
        "target": "local",
        "cores": 2,
        "identity": "4.15",
        "mix": {"name": "everyday", "shares_per_cent": {"login": 10}},
        "seconds_of_a_step": 10,
        "steps": [asdict(one) for one in steps],
        "knee": asdict(found) if found else None,
        "generator": {"requests_per_core": 1500.0, "how": "requests divided by cores"},
    }


def page(folder: Path, said: dict[str, Any]) -> tuple[Any, str]:
    """The page of a measurement, parsed and as it is."""
    (folder / "knee.json").write_text(json.dumps(said), encoding="utf-8")
    path = load_page.render(folder)
    assert path == folder / "index.html"
    return read(path), path.read_text(encoding="utf-8")


def known() -> dict[str, Any]:
    """A measurement with a knee at 4 users."""
    return measured([step(users) for users in (1, 2, 3, 4, 6)])


def drawings(text: str, title: str) -> list[str]:
    """Both renderings, wide and narrow, of the chart with that title."""
    return [svg for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if f">{title}</title>" in svg]


@pytest.mark.parametrize("title", ["Logins offered and achieved", "Latency of each step"])
def test_the_knee_is_marked_in_both_charts_and_its_reason_is_said(tmp_path: Path, title: str) -> None:
    shown, text = page(tmp_path, known())
    assert "Knee at 4 users" in shown.text
    assert "throughput stopped growing: +0 % with 6 users in place of 4" in shown.text
    drawn = drawings(text, title)
    assert len(drawn) == 2, "wide and narrow"
    assert all("knee: 4 users" in svg for svg in drawn)


def test_offered_grows_with_the_users_and_achieved_does_not(tmp_path: Path) -> None:
    shown, _ = page(tmp_path, known())
    assert "1 users: 10.0 of 10.0; 2 users: 20.0 of 20.0" in shown.text
    assert "6 users: 40.0 of 60.0" in shown.text


def test_the_lines_go_through_the_figures_of_the_steps(tmp_path: Path) -> None:
    """With one figure changed, a line is another."""
    before, after = known(), known()
    after["steps"][2]["logins_per_s"] -= 10
    after["steps"][2]["p95_ms"] += 10
    for title in ("Logins offered and achieved", "Latency of each step"):
        paths = [re.findall(r' d="(M[^"]+)"', drawings(page(tmp_path, said)[1], title)[0]) for said in (before, after)]
        assert paths[0] != paths[1], title


def test_the_page_is_one_file_that_loads_nothing_and_follows_light_and_dark(tmp_path: Path) -> None:
    shown, text = page(tmp_path, known())
    assert shown.loads == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", text)
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert "prefers-color-scheme: dark" in text
    every = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert not [colour for svg in every for colour in re.findall(r'(?:fill|stroke)="(#\w+)"', svg)]


def test_what_one_core_of_generator_drives_and_whose_knee_it_is_are_said(tmp_path: Path) -> None:
    shown, _ = page(tmp_path, known())
    assert "requests/s that one core of load generator drives 1,500" in shown.text
    assert "no core was idle, so the knee is the machine's" in shown.text


@pytest.mark.parametrize(
    ("generator", "machine", "said"),
    [(0.95, 1.2, "the knee may be the generator's"), (0.3, 1.2, "neither of them was at its end")],
)
def test_a_generator_at_its_end_is_not_taken_for_the_platform(
    tmp_path: Path, generator: float, machine: float, said: str
) -> None:
    measurement = known()
    measurement["steps"][3] |= {"generator_cores": generator, "machine_cores": machine}
    assert said in page(tmp_path, measurement)[0].text


def test_no_knee_is_said_and_none_is_marked(tmp_path: Path) -> None:
    shown, text = page(tmp_path, measured([step(users, capacity=1e6) for users in (1, 2, 3, 4)]))
    assert "No knee found" in shown.text
    assert "Up to 4 users" in shown.text
    assert "Knee at" not in shown.text
    assert len(drawings(text, "Logins offered and achieved")) == 2
    assert "knee: " not in "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))


@pytest.mark.parametrize("value", [None, "fast", float("nan")])
def test_a_figure_that_is_missing_is_named_and_its_line_is_not_drawn(tmp_path: Path, value: object) -> None:
    measurement = known()
    measurement["steps"][1]["p95_ms"] = value
    shown, text = page(tmp_path, measurement)
    assert "The measurement is not whole: step 2 (2 users) tells no p95_ms" in shown.text
    assert drawings(text, "Latency of each step") == []
    assert len(drawings(text, "Logins offered and achieved")) == 2, "what was told is drawn"
    assert load_page.NOT_TOLD in shown.text


def test_without_logins_of_a_step_nothing_is_drawn_of_them(tmp_path: Path) -> None:
    measurement = known()
    del measurement["steps"][0]["logins_per_s"]
    shown, text = page(tmp_path, measurement)
    assert "step 1 (1 users) tells no logins_per_s" in shown.text
    assert drawings(text, "Logins offered and achieved") == []


def test_a_measurement_that_tells_no_knee_claims_neither_one_nor_none(tmp_path: Path) -> None:
    measurement = known()
    del measurement["knee"]
    shown, _ = page(tmp_path, measurement)
    assert "Unknown" in shown.text
    assert "whether there was a knee" in shown.text
    assert "No knee found" not in shown.text


def test_a_knee_where_no_step_was_is_not_marked(tmp_path: Path) -> None:
    measurement = known()
    measurement["knee"]["users"] = 5
    shown, text = page(tmp_path, measurement)
    assert "the knee is at 5 users, and no step had so many" in shown.text
    assert "knee: " not in "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))


@pytest.mark.parametrize("said", [{}, {"steps": [], "knee": None}])
def test_a_measurement_without_steps_draws_nothing(tmp_path: Path, said: dict[str, Any]) -> None:
    shown, _ = page(tmp_path, said)
    assert "no step was recorded" in shown.text
    assert "No knee found" not in shown.text
    assert shown.count("svg") == 0


def test_what_a_server_told_is_escaped(tmp_path: Path) -> None:
    _, text = page(tmp_path, known() | {"identity": HOSTILE})
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text


def test_nothing_to_render_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_page.render(tmp_path)
    (tmp_path / "knee.json").write_text("[]")
    with pytest.raises(ValueError, match="no measurement"):
        load_page.render(tmp_path)


def test_the_report_command_renders_the_page_again(tmp_path: Path) -> None:
    (tmp_path / "knee.json").write_text(json.dumps(known()))
    done = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert (done.exit_code, done.output.strip()) == (0, str(tmp_path / "index.html"))


def test_the_report_command_says_in_one_line_that_a_measurement_is_broken(tmp_path: Path) -> None:
    (tmp_path / "knee.json").write_text('{"steps": [')
    done = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert done.exit_code == 2
    assert "knee.json cannot be read" in done.output
    assert not (tmp_path / "index.html").exists()


def test_a_step_of_nobody_gives_no_rate_each() -> None:
    assert chart_load.logins([asdict(step(1)) | {"users": 0}], None) is None
