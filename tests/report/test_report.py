"""The report of a synthetic run: complete, self-contained, escaped, and honest about what is missing."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from chaosblink.report import junit, render
from chaosblink.report.verdict_view import NO_FIGURE, amount, dots, whole
from tests.rendered_page import read
from tests.synthetic_run import build

EXPERIMENT = "redis-master-kill"
HOSTILE = "<script>alert('x')</script>\"&"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good run of one experiment, two rounds, rendered."""
    run = build(tmp_path_factory.mktemp("good"), [EXPERIMENT], rounds=2)
    render(run)
    return run


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first round breaks the promise on the outage, with hostile strings in it, rendered."""
    run = build(tmp_path_factory.mktemp("slow"), [EXPERIMENT], rounds=1, broken="slow")
    verdicts = verdicts_of(run)
    verdicts[0]["why"] = HOSTILE
    verdicts.append(verdicts[0] | {"verdict": "not run", "sentence": HOSTILE, "why": "needs Longhorn", "measured": {}})
    (run / "verdicts.json").write_text(json.dumps(verdicts), encoding="utf-8")
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    facts["options"] = {HOSTILE: HOSTILE}
    facts["platform"] = HOSTILE
    (run / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    journal = run / EXPERIMENT / "round-01" / "journal.json"
    journal.write_text(json.dumps({"experiment": {"title": HOSTILE}, "status": HOSTILE}), encoding="utf-8")
    render(run)
    return run


def verdicts_of(run: Path) -> list[dict[str, Any]]:
    """verdicts.json as it was written."""
    loaded: list[dict[str, Any]] = json.loads((run / "verdicts.json").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("name", ["good", "slow"])
def test_the_page_loads_nothing(name: str, request: pytest.FixtureRequest) -> None:
    run: Path = request.getfixturevalue(name)
    text = (run / "index.html").read_text(encoding="utf-8")
    assert read(run / "index.html").loads == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", text)
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


@pytest.mark.parametrize("name", ["good", "slow"])
def test_every_verdict_is_on_the_page(name: str, request: pytest.FixtureRequest) -> None:
    run: Path = request.getfixturevalue(name)
    page, verdicts = read(run / "index.html"), verdicts_of(run)
    for verdict in verdicts:
        assert re.sub(r"\s+", " ", verdict["sentence"]) in page.text
        assert verdict["verdict"] == "pass" or re.sub(r"\s+", " ", verdict["why"]) in page.text
    assert sum("judged" in str(attributes.get("class")) for _, attributes in page.elements) == len(verdicts)


def test_a_good_run_is_kept_and_shows_every_chart_twice(good: Path) -> None:
    page = read(good / "index.html")
    assert "KEPT" in page.text
    assert page.count("svg") == 2 * page.count("figure") > 0
    drawn = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert all(one.get("role") == "img" and one.get("aria-labelledby") for one in drawn)
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_a_chart_has_no_colour_of_its_own(good: Path) -> None:
    drawings = re.findall(r"<svg.*?</svg>", (good / "index.html").read_text(encoding="utf-8"), re.DOTALL)
    assert not [colour for drawing in drawings for colour in re.findall(r'(?:fill|stroke)="(#\w+)"', drawing)]


def test_links_lead_to_files_of_the_run(good: Path) -> None:
    targets = {str(one["href"]) for tag, one in read(good / "index.html").elements if tag == "a" and one.get("href")}
    files = {target for target in targets if not target.startswith("#")}
    assert files
    assert all((good / target).exists() for target in files)


def test_a_broken_run_says_so_first_and_how_to_repeat_it(slow: Path) -> None:
    page = read(slow / "index.html")
    assert "BROKEN" in page.text
    assert page.text.index("Not kept") < page.text.index("Not run here") < page.text.index("Kept ")
    failed = next(verdict for verdict in verdicts_of(slow) if verdict["verdict"] == "fail")
    assert failed["reproduce"] in page.text


def test_hostile_strings_stay_text(slow: Path) -> None:
    page = read(slow / "index.html")
    assert page.count("script") == 0
    assert page.text.count(HOSTILE) >= 5


@pytest.mark.parametrize("name", ["round.json", "history.jsonl", "timeline.jsonl", "final_reads.jsonl", "journal.json"])
def test_a_missing_file_is_named(name: str, good: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(good, run)
    shutil.rmtree(run / EXPERIMENT / "round-02")
    (run / EXPERIMENT / "round-01" / name).unlink()
    text = read(render(run)).text
    assert f"{name} is missing" in text
    assert f"{EXPERIMENT}/round-02 was planned and is missing" in text


def test_a_run_without_anything_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    text = read(render(tmp_path / "run")).text
    assert "UNKNOWN" in text
    assert "run.json is missing" in text


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        render(tmp_path / "nowhere")


def test_junit_has_one_case_a_verdict(slow: Path) -> None:
    verdicts = verdicts_of(slow)
    suites = ElementTree.parse(junit(slow)).getroot()
    cases = list(suites.iter("testcase"))
    assert [case.get("name") for case in cases] == [verdict["sentence"] for verdict in verdicts]
    assert {case.get("classname") for case in cases} == {EXPERIMENT}
    words = [verdict["verdict"] for verdict in verdicts]
    assert len(list(suites.iter("failure"))) == words.count("fail") + words.count("unknown") > 0
    assert len(list(suites.iter("skipped"))) == words.count("not run") == 1


def test_junit_without_a_verdict_fails(tmp_path: Path) -> None:
    (tmp_path / "verdicts.json").write_text("[]", encoding="utf-8")
    assert len(list(ElementTree.parse(junit(tmp_path)).getroot().iter("failure"))) == 1


@pytest.mark.parametrize(
    ("words", "release", "expected"),
    [
        (["pass"], False, "KEPT"),
        (["pass", "not run"], False, "KEPT"),
        (["pass", "not run"], True, "UNKNOWN"),
        (["not run"], False, "UNKNOWN"),
        ([], False, "UNKNOWN"),
        (["pass", "unknown"], False, "UNKNOWN"),
        (["pass", "unknown", "fail"], False, "BROKEN"),
        (["pass", "a word nobody knows"], False, "UNKNOWN"),
    ],
)
def test_the_verdict_of_the_whole(words: list[str], release: bool, expected: str) -> None:
    assert whole([{"verdict": word} for word in words], release).word == expected


def test_a_missing_figure_is_a_dash_and_never_zero() -> None:
    assert amount(None, "ms") == NO_FIGURE
    assert amount(0, "writes") == "0 writes"
    assert amount(12345.6, "ms") == "12,346 ms"


def test_a_round_beyond_the_bound_is_marked() -> None:
    drawn = dots({"bound": 100, "unit": "ms", "measured": {"rounds": [50, None, 150]}})
    assert drawn is not None
    assert [dot.beyond for dot in drawn[0]] == [False, True]
    assert dots({"bound": 0, "unit": "writes", "measured": {"rounds": [0]}}) is None
