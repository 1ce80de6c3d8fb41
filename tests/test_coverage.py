"""docs/coverage.md and docs/findings.md say what is there: both are held against suites, experiments and promises."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from chaosblink import coverage

FINDINGS = 20
"""Contradictions in the owner's document."""


def test_the_page_is_what_the_suites_experiments_and_promises_give() -> None:
    page = (coverage.ROOT / "docs" / "coverage.md").read_text()
    assert page == coverage.text(), "make it anew: python -m chaosblink.coverage >docs/coverage.md"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the page is made from, to be changed."""
    for part in ("suites", "experiments"):
        shutil.copytree(coverage.ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_test_more_or_less_changes_the_page(checkout: Path) -> None:
    before = coverage.text(checkout)
    with (checkout / "suites" / "vault" / "test_conformance.py").open("a") as file:
        file.write("\n\ndef test_one_more() -> None:\n    assert True\n")
    assert coverage.text(checkout) != before


def test_an_experiment_more_changes_the_page(checkout: Path) -> None:
    before = coverage.text(checkout)
    (checkout / "experiments" / "vault-flood.yaml").write_text("title: x\ntags: [vault]\n")
    assert "vault-flood" in coverage.text(checkout)
    assert "vault-flood" not in before


def test_a_suite_nobody_named_is_not_left_out(checkout: Path) -> None:
    (checkout / "suites" / "surprise").mkdir()
    (checkout / "suites" / "surprise" / "test_conformance.py").write_text("def test_x() -> None: ...\n")
    assert "Suites beyond the document: surprise" in coverage.text(checkout)


def test_a_test_for_one_target_counts_there_alone(checkout: Path) -> None:
    counted = dict(coverage.tests(checkout, "findings"))
    assert counted["test_kubernetes.py::test_11_a_disruption_budget_protects"] == ("kubernetes",)
    whole = {targets for _, targets in coverage.tests(checkout, "kubernetes")}
    assert whole == {("kubernetes",)}, "a mark of the whole file counts for each of its tests"
    assert counted["test_databases.py::test_10_one_address_follows_the_master"] == ("local", "kubernetes")


def entries() -> dict[int, str]:
    """Text of each entry of docs/findings.md by its number."""
    page = (coverage.ROOT / "docs" / "findings.md").read_text()
    parts = re.split(r"^## (\d+)\. ", page, flags=re.MULTILINE)
    return {int(number): body for number, body in zip(parts[1::2], parts[2::2], strict=True)}


def test_every_contradiction_has_an_entry() -> None:
    assert sorted(entries()) == list(range(1, FINDINGS + 1))


@pytest.mark.parametrize("number", range(1, FINDINGS + 1))
def test_an_entry_says_all_four_things_and_names_its_tests(number: int) -> None:
    body = entries()[number]
    for part in ("The document", "What happens", "The platform"):
        assert f"- **{part}**" in body, part
    named = set(re.findall(r"`(test_\w+\.py::test_\w+)`", body))
    written = {name for name, _ in coverage.tests(coverage.ROOT, "findings")}
    assert named, "no test is named"
    assert named <= written, named - written
    assert {name for name in written if f"::test_{number}_" in name} == named
