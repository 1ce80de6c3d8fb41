"""From a run folder to verdicts: a good run keeps every promise, and each way to break one is seen and named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from chaosblink import promises as promise_file
from chaosblink.checkers import checker
from chaosblink.checkers.finding import Finding
from chaosblink.checkers.rounds import Round
from chaosblink.experiments import plan
from chaosblink.history import Event, Operation
from chaosblink.promises import Promise, PromiseError
from chaosblink.verdicts import Verdict, disturbed_rounds, judge, judge_by_name, keeps, read_verdicts, write_verdicts
from tests import synthetic_run
from tests.synthetic_breakage import BREAKAGES, Recording, break_folder
from tests.synthetic_scenarios import IDENTITY, MS, POSTGRESQL, REDIS, SECOND, VAULT, Scenario

EXPERIMENT = POSTGRESQL.name
ON_DISK = {"missing-history", "empty-history", "garbled-history", "missing-final-reads", "missing-folder"}
PROMISES = {promise.id: promise for promise in promise_file.load()}


@pytest.fixture(scope="module")
def gold() -> Recording:
    """One good round of the PostgreSQL experiment in memory, thinned out for speed; copy before you break it."""
    return _thin(_lean(synthetic_run.record(POSTGRESQL, 1, 1, 1_000 * SECOND)))


@pytest.fixture(scope="module")
def gold_run(tmp_path_factory: pytest.TempPathFactory, gold: Recording) -> Path:
    """A run of that one round on disk."""
    run = tmp_path_factory.mktemp("gold")
    _plan(run, [1])
    synthetic_run.write(run, gold)
    return run


@pytest.fixture
def run(tmp_path: Path, gold_run: Path) -> Path:
    """A copy of the good run that a test may damage."""
    return Path(shutil.copytree(gold_run, tmp_path / "run"))


def _lean(recording: Recording) -> Recording:
    """Without CPU samples, which no checker reads."""
    recording.events = [event for event in recording.events if event.kind != "cpu"]
    return recording


def _thin(recording: Recording) -> Recording:
    """Every fifth operation of the 10 ms path, every fourth of the bystanders', as if that were their interval."""
    shares = {"postgresql/fresh": 1, "login": 1, "postgresql/persistent": 5}
    kept: list[Operation] = []
    for path, settings in recording.round["paths"].items():
        share = shares.get(path, 4)
        settings["interval_ms"] *= share
        kept += [op for op in recording.operations if op.path == path][::share]
    recording.operations = sorted(kept, key=lambda op: op.end)
    ids = {op.id for op in kept}
    recording.reads = [replace(read, ids=[each for each in read.ids if each in ids]) for read in recording.reads]
    return recording


def _plan(run: Path, rounds: list[int], **more: Any) -> None:
    planned = [
        {"experiment": EXPERIMENT, "round": n, "folder": f"{EXPERIMENT}/round-{n:02d}", "command": f"again {n}"}
        for n in rounds
    ]
    (run / "plan.json").write_text(json.dumps({"seed": 1, "rounds": planned} | more))


def _in_memory(recording: Recording) -> Round:
    events = sorted(recording.events, key=lambda event: event.at)
    return Round(
        recording.scenario.name, 1, Path("r"), recording.round, recording.operations, events, list(recording.reads)
    )


def _finding(recording: Recording, promise: Promise) -> Finding:
    finding = checker(promise.checker).check(_in_memory(recording), promise.bound, **promise.arguments)
    assert isinstance(finding, Finding)
    return finding


def _one(verdicts: list[Verdict], promise: str) -> Verdict:
    [found] = [verdict for verdict in verdicts if verdict.promise == promise]
    return found


@pytest.mark.parametrize("scenario", [VAULT, POSTGRESQL, REDIS, IDENTITY], ids=lambda scenario: scenario.name)
def test_a_good_round_keeps_every_promise(scenario: Scenario) -> None:
    recording = _lean(synthetic_run.record(scenario, 1, 7, 1_000 * SECOND))
    for promise in [promise for promise in PROMISES.values() if scenario.name in promise.experiments]:
        finding = _finding(recording, promise)
        assert finding.verdict == "pass", f"{promise.id}: {finding.why}"
        assert finding.why
        assert finding.measured is not None


TIMED_OUT = {"late-tick", "late-starts"}
IN_MEMORY = sorted(set(BREAKAGES) - ON_DISK - TIMED_OUT - {"cut-last-line"})


@pytest.mark.parametrize("broken", IN_MEMORY)
def test_every_breakage_is_seen_and_named(broken: str, gold: Recording) -> None:
    breakage = BREAKAGES[broken]
    recording = replace(gold, operations=list(gold.operations), events=list(gold.events), round=deepcopy(gold.round))
    recording.reads = [replace(read, ids=list(read.ids)) for read in gold.reads]
    breakage.spoil(recording)
    finding = _finding(recording, PROMISES[breakage.promise])
    assert finding.verdict in ("fail", "unknown")
    assert breakage.word in finding.why


def test_a_good_run_passes_and_says_everything(run: Path) -> None:
    verdicts = write_verdicts(run)
    assert {verdict.verdict for verdict in verdicts} == {"pass"}
    assert read_verdicts(run) == verdicts
    writes = _one(verdicts, "postgresql-writes-back")
    assert (writes.experiment, writes.component, writes.bound, writes.unit) == (EXPERIMENT, "postgresql", 12000, "ms")
    assert writes.configured_bound == 11200
    assert writes.measured["n"] == 1
    assert writes.measured["max"] == writes.measured["median"] == writes.measured["rounds"][0]
    assert f"{EXPERIMENT}/round-01/history.jsonl" in writes.evidence
    assert writes.reproduce == "again 1"
    assert disturbed_rounds(run) == []


def test_one_experiment_can_be_judged_alone(run: Path) -> None:
    assert judge_by_name(run, EXPERIMENT) == judge(run)
    assert {verdict.verdict for verdict in judge_by_name(run, VAULT.name)} == {"unknown"}


@pytest.mark.parametrize("broken", sorted(ON_DISK))
def test_missing_and_broken_files_are_unknown_and_named(broken: str, run: Path) -> None:
    break_folder(broken, run / EXPERIMENT / "round-01")
    verdict = _one(judge(run), BREAKAGES[broken].promise)
    assert verdict.verdict == "unknown"
    assert BREAKAGES[broken].word in verdict.why
    assert verdict.reproduce == "again 1"


def test_a_last_line_cut_short_breaks_nothing(run: Path) -> None:
    break_folder("cut-last-line", run / EXPERIMENT / "round-01")
    assert {verdict.verdict for verdict in judge(run)} == {"pass"}


def test_a_planned_round_or_experiment_that_is_missing_keeps_no_promise(run: Path) -> None:
    _plan(run, [1, 2])
    plan = json.loads((run / "plan.json").read_text())
    plan["rounds"].append({"experiment": VAULT.name, "round": 1, "folder": f"{VAULT.name}/round-01", "command": "v"})
    (run / "plan.json").write_text(json.dumps(plan))
    verdicts = judge(run)
    assert {verdict.verdict for verdict in verdicts} == {"unknown"}
    lost = _one([verdict for verdict in verdicts if verdict.experiment == EXPERIMENT], "postgresql-writes-back")
    assert lost.measured["n"] == 1
    assert lost.measured["rounds"][1] is None
    assert lost.why.startswith("round 2: ")
    assert "missing" in lost.why
    assert lost.reproduce == "again 2"


@pytest.mark.parametrize("content", [None, "{", "[]", '{"rounds": [{}]}'])
def test_without_a_plan_the_run_is_unknown_but_what_is_there_is_judged(content: str | None, run: Path) -> None:
    (run / "plan.json").unlink()
    if content is not None:
        (run / "plan.json").write_text(content)
    verdicts = judge(run)
    assert _one(verdicts, "plan").verdict == "unknown"
    assert _one(verdicts, "postgresql-writes-back").verdict == "pass"


def test_an_empty_run_is_unknown(tmp_path: Path) -> None:
    _plan(tmp_path, [])
    assert [verdict.verdict for verdict in judge(tmp_path)] == ["unknown"]


def test_an_experiment_without_a_promise_is_unknown(run: Path) -> None:
    [verdict] = judge(run, promises=[])
    assert verdict.verdict == "unknown"
    assert "no promise" in verdict.why


def test_an_experiment_that_could_not_be_run_here_is_not_run(tmp_path: Path) -> None:
    _plan(tmp_path, [], not_run={EXPERIMENT: "no network namespaces"})
    verdicts = judge(tmp_path)
    assert {verdict.verdict for verdict in verdicts} == {"not run"}
    skipped: list[str] = []
    keeps(verdicts, "postgresql-writes-back", EXPERIMENT, not_run=skipped.append)
    assert skipped == ["no network namespaces"]
    with pytest.raises(AssertionError, match="NOT RUN"):
        keeps(verdicts, "postgresql-writes-back", EXPERIMENT)


def test_foreign_round_facts_are_unknown_and_not_a_crash(run: Path) -> None:
    facts = run / EXPERIMENT / "round-01" / "round.json"
    facts.write_text(json.dumps({"component": "postgresql", "paths": [], "bounds": 3, "victims": None}))
    verdicts = judge(run)
    for promise in ("postgresql-writes-back", "postgresql-configured-bound", "fault-bites", "recording-counts"):
        assert _one(verdicts, promise).verdict == "unknown", promise


def _add(run: Path, gold: Recording, number: int, spoil: Callable[[Recording], None] | None, **facts: Any) -> None:
    recording = replace(gold, number=number, events=list(gold.events), operations=list(gold.operations))
    recording.round = gold.round | {"round": number} | facts
    recording.reads = [replace(read, ids=list(read.ids)) for read in gold.reads]
    if spoil:
        spoil(recording)
    synthetic_run.write(run, recording)


def _disturb(recording: Recording) -> None:
    recording.events.append(Event(recording.t0 + SECOND, "tick", {"late": 400 * MS}))


def _disturb_and_lose(recording: Recording) -> None:
    _disturb(recording)
    BREAKAGES["lost"].spoil(recording)


def test_a_disturbed_round_has_no_timing_but_its_integrity_counts(tmp_path: Path, gold: Recording) -> None:
    _plan(tmp_path, [1])
    _add(tmp_path, gold, 1, _disturb_and_lose)
    verdicts = judge(tmp_path)
    writes = _one(verdicts, "postgresql-writes-back")
    assert (writes.verdict, writes.measured["n"]) == ("unknown", 0)
    assert "400 ms late" in writes.why
    assert _one(verdicts, "nothing-acknowledged-is-lost").verdict == "fail"
    assert _one(verdicts, "one-failover").verdict == "pass"
    assert len(disturbed_rounds(tmp_path)) == 1


def test_a_repeat_gives_a_disturbed_round_its_timing(tmp_path: Path, gold: Recording) -> None:
    _plan(tmp_path, [1])
    _add(tmp_path, gold, 1, _disturb)
    _add(tmp_path, gold, 2, None, repeats=1)
    verdicts = judge(tmp_path)
    writes = _one(verdicts, "postgresql-writes-back")
    assert (writes.verdict, len(writes.measured["rounds"])) == ("pass", 1)
    assert len(_one(verdicts, "nothing-acknowledged-is-lost").measured["rounds"]) == 2


def test_a_third_repeat_is_one_too_many(tmp_path: Path, gold: Recording) -> None:
    _plan(tmp_path, [1])
    for number in (1, 2, 3):
        _add(tmp_path, gold, number, _disturb, **({} if number == 1 else {"repeats": 1}))
    _add(tmp_path, gold, 4, None, repeats=1)
    writes = _one(judge(tmp_path), "postgresql-writes-back")
    assert writes.verdict == "unknown"
    assert "2 repeats" in writes.why


def test_every_round_must_keep_the_promise(tmp_path: Path, gold: Recording) -> None:
    _plan(tmp_path, [1, 2, 3])
    for number in (1, 3):
        _add(tmp_path, gold, number, None)
    _add(tmp_path, gold, 2, BREAKAGES["slow"].spoil)
    writes = _one(judge(tmp_path), "postgresql-writes-back")
    first, second, third = writes.measured["rounds"]
    assert writes.verdict == "fail"
    assert writes.why.startswith("round 2: ")
    assert writes.measured["max"] == second > 12_000
    assert writes.measured["median"] == first == third
    assert "p95" not in writes.measured
    assert writes.reproduce == "again 2"


def _verdict(**changes: Any) -> Verdict:
    facts: dict[str, Any] = {
        "experiment": EXPERIMENT,
        "promise": "p",
        "sentence": "Writes are back",
        "component": "postgresql",
        "bound": 12000,
        "configured_bound": None,
        "unit": "ms",
        "measured": {"rounds": [5000.5, None, 13000.0], "median": 9000.2, "max": 13000.0, "n": 2},
        "verdict": "fail",
        "why": "round 3: away 13000 ms",
        "evidence": ["a/round-03/history.jsonl"],
        "reproduce": "again 3",
    }
    return Verdict(**(facts | changes))


def test_a_broken_promise_is_one_readable_paragraph() -> None:
    with pytest.raises(AssertionError) as raised:
        keeps([_verdict()], "p", EXPERIMENT)
    assert str(raised.value) == (
        "Writes are back: FAIL in postgresql-primary-kill. Bound 12000 ms; measured by round: 5000.5, ?, 13000 ms. "
        "round 3: away 13000 ms. Evidence: a/round-03/history.jsonl. Repeat it with: again 3"
    )


def test_unknown_and_no_verdict_at_all_keep_nothing() -> None:
    with pytest.raises(AssertionError, match="UNKNOWN"):
        keeps([_verdict(verdict="unknown")], "p", EXPERIMENT)
    with pytest.raises(AssertionError, match="no verdict"):
        keeps([_verdict()], "q", EXPERIMENT)
    keeps([_verdict(verdict="pass")], "p", EXPERIMENT)


def test_a_verdict_has_the_fields_of_the_contract() -> None:
    named = {"experiment", "promise", "bound", "configured_bound", "unit", "measured", "verdict", "why", "evidence"}
    assert set(asdict(_verdict())) == named | {"reproduce", "sentence", "component"}


def test_every_promise_says_its_reason_and_source() -> None:
    experiments = set(plan.known())
    for promise in PROMISES.values():
        assert promise.reason, promise.id
        assert promise.source, promise.id
        assert set(promise.experiments) <= experiments, promise.id


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"checker": "astrology"}, "astrology"),
        ({"experiments": []}, "no experiment"),
        ({"surprise": 1}, "surprise"),
        ({"source": None}, "source"),
    ],
)
def test_a_promise_that_is_not_one_is_refused(tmp_path: Path, change: dict, word: str) -> None:
    entry = asdict(PROMISES["one-failover"]) | change
    file = tmp_path / "promises.yaml"
    file.write_text(json.dumps({"promises": [{key: value for key, value in entry.items() if value is not None}]}))
    with pytest.raises(PromiseError, match=word):
        promise_file.load(file)


def test_a_promise_stands_only_once(tmp_path: Path) -> None:
    file = tmp_path / "promises.yaml"
    file.write_text(json.dumps({"promises": [asdict(PROMISES["one-failover"])] * 2}))
    with pytest.raises(PromiseError, match="more than once"):
        promise_file.load(file)


def test_the_judgement_imports_nothing_that_talks_to_a_server() -> None:
    code = (
        "import sys, pkgutil, chaosblink.verdicts, chaosblink.checkers as c;"
        "[c.import_module(f'chaosblink.checkers.{m.name}') for m in pkgutil.iter_modules(c.__path__)];"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('psycopg', 'redis', 'hvac', 'aiohttp', 'requests', 'kubernetes', 'socket', 'chaoslib', 'psutil')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
