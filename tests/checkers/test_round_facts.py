"""Redundancy, residue, proof and configured bounds, and a round's files that are missing or broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaosblink.checkers import UnknownChecker, below_configured, checker, configured, proof, redundancy, residue
from chaosblink.checkers.rounds import load
from chaosblink.history import Event, HistoryError, read_operations, to_line
from tests.synthetic_history import T0, a_round, around, history
from tests.synthetic_scenarios import SECOND


def answered(seconds: float, redundant: bool, component: str = "postgresql") -> Event:
    data = {"component": component, "redundant": redundant, "why": "" if redundant else "postgresql-0 does not stream"}
    return Event(T0 + round(seconds * SECOND), "redundant", data)


def test_full_redundancy_within_its_bound_passes() -> None:
    events = [answered(0.1, False), answered(9, True), answered(20, False, "vault")]
    assert redundancy.check(a_round([], events, redundant_ms=9000.0), 10_000).verdict == "pass"


def test_full_redundancy_too_late_fails() -> None:
    assert redundancy.check(a_round([], redundant_ms=9000.0), 8000).verdict == "fail"


def test_full_redundancy_never_seen_is_unknown_and_says_why() -> None:
    finding = redundancy.check(a_round([], [answered(0.1, False)], redundant_ms=None), 8000)
    assert finding.verdict == "unknown"
    assert "does not stream" in finding.why


def test_redundancy_lost_again_fails() -> None:
    events = [answered(0.1, False), answered(5, True), answered(8, False)]
    assert "lost again" in redundancy.check(a_round([], events, redundant_ms=5000.0), 8000).why


def test_a_yes_from_before_the_server_was_missed_does_not_count() -> None:
    events = [answered(0.01, True), answered(0.1, False), answered(9, True)]
    assert redundancy.check(a_round([], events, redundant_ms=10.0), 8000).measured == 9000.0


HEALED = Event(T0 + SECOND, "fault", {"event": "healed"})


def test_nothing_left_passes() -> None:
    assert residue.check(a_round([], [HEALED], residue=[]), 0).verdict == "pass"


def test_what_is_left_is_named() -> None:
    finding = residue.check(a_round([], [HEALED], residue=["postgresql-0 is down"]), 0)
    assert (finding.verdict, finding.measured) == ("fail", 1)
    assert "postgresql-0 is down" in finding.why


def test_residue_on_the_timeline_fails_whatever_round_json_says() -> None:
    left = Event(T0 + 2 * SECOND, "fault", {"event": "residue", "proof": {"residue": ["a process in state T"]}})
    assert "state T" in residue.check(a_round([], [HEALED, left], residue=[]), 0).why


@pytest.mark.parametrize(("events", "facts"), [([], {"residue": []}), ([HEALED], {})])
def test_nobody_looked_is_unknown(events: list[Event], facts: dict) -> None:
    assert residue.check(a_round([], events, **facts), 0).verdict == "unknown"


def bitten(**entry: object) -> Event:
    return Event(T0, "fault", {"event": "bitten", "proof": {"victims": [{"instance": "postgresql-0", **entry}]}})


def test_a_victim_whose_process_is_gone_is_proven() -> None:
    assert proof.check(a_round([], [bitten(pid=4, gone_at=T0)]), 0).verdict == "pass"


@pytest.mark.parametrize("entry", [{}, {"pid": 4, "gone_at": None}])
def test_a_victim_without_proof_is_unknown(entry: dict) -> None:
    finding = proof.check(a_round([], [bitten(**entry)]), 0)
    assert finding.verdict == "unknown"
    assert "no proof that the fault hit postgresql-0" in finding.why


def test_a_fault_without_victims_or_bite_is_unknown() -> None:
    assert proof.check(a_round([], [bitten(pid=4)], victims=[]), 0).verdict == "unknown"
    silent = a_round([])
    silent.events = []
    assert "not seen to bite" in proof.check(silent, 0).why


BOUNDS = {"postgresql": {"ms": 11_000.0, "formula": "3 x 2 s + promotion", "inputs": {}}}


def test_a_configured_bound_within_the_promise_passes_and_one_above_fails() -> None:
    recorded = a_round([], bounds=BOUNDS)
    assert configured.check(recorded, 12_000).verdict == "pass"
    finding = configured.check(recorded, 10_000)
    assert finding.verdict == "fail"
    assert "3 x 2 s + promotion" in finding.why


def test_without_a_configured_bound_nothing_is_known() -> None:
    recorded = a_round(around([("ok", 5)]), bounds={})
    assert configured.check(recorded, 12_000).verdict == "unknown"
    assert below_configured.check(recorded, None, paths=["{store}/persistent"]).verdict == "unknown"


def test_an_outage_above_the_configured_bound_fails() -> None:
    recorded = a_round(around([("fail", 2), ("ok", 5)]), bounds={"postgresql": {"ms": 1500}})
    assert "above 1500 ms" in below_configured.check(recorded, None, paths=["{store}/persistent"]).why


def test_missing_files_are_problems_and_not_errors(tmp_path: Path) -> None:
    recorded = load(tmp_path / "x" / "round-07")
    assert (recorded.experiment, recorded.number) == ("x", 7)
    assert "folder" in recorded.lacks()
    (tmp_path / "round.json").write_text("[]")
    assert "not a JSON object" in load(tmp_path).problems["round.json"]


def test_a_last_line_cut_short_is_left_out(tmp_path: Path) -> None:
    operations = history([("ok", 0.05)])
    file = tmp_path / "history.jsonl"
    file.write_text("".join(map(to_line, operations))[:-5])
    assert read_operations(file) == operations[:-1]


@pytest.mark.parametrize("line", ["nonsense", json.dumps({"foreign": 1}), "[]", "3"])
def test_a_foreign_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(to_line(history([("ok", 0.01)])[0]) + line + "\n")
    with pytest.raises(HistoryError, match=r"history\.jsonl, line 2"):
        read_operations(file)


@pytest.mark.parametrize("name", ["no_such_checker", "finding", "../outage"])
def test_a_checker_is_a_module_with_a_check(name: str) -> None:
    with pytest.raises(UnknownChecker):
        checker(name)
