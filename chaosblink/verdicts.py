"""From a run folder and the promises to verdicts: every round must keep a promise, and what is missing keeps none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from chaosblink import promises as promise_file
from chaosblink.checkers import checker
from chaosblink.checkers.configured import configured_ms
from chaosblink.checkers.disturbance import disturbance
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.rounds import Round
from chaosblink.promises import Promise
from chaosblink.run_rounds import Run, RunExperiment, read_run

Word = Literal["pass", "fail", "unknown", "not run"]
TIMING_REPEATS = 2
"""A disturbed round's timing is repeated at most twice: measuring rule 11."""
CONFORMANCE = "conformance.json"
"""Verdicts of the conformance suites (chaosblink/conformance), beside the rounds of a run."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise in one experiment; `measured` has `rounds` (None = not measured), `median`, `max` and `n`.

    `bound` and `configured_bound` (from the live configuration, ms) are in `unit`; `evidence` are paths relative to the
    run folder; `reproduce` is the command that repeats the worst round.
    """

    experiment: str
    promise: str
    sentence: str
    component: str
    bound: float | None
    configured_bound: float | None
    unit: str
    measured: dict[str, Any]
    verdict: Word
    why: str
    evidence: list[str]
    reproduce: str


@dataclass(frozen=True, slots=True)
class _Judged:
    """One round's finding, and the round it was made on (a repeat stands in for a disturbed one)."""

    recorded: Round
    finding: Finding


def judge(run: Path, promises: Sequence[Promise] | None = None) -> list[Verdict]:
    """Every promise in every experiment of the plan; what the run's own files lack is a verdict of its own."""
    known = promise_file.load() if promises is None else promises
    recorded = read_run(run)
    verdicts = [_nothing("", "plan", problem) for problem in recorded.problems]
    for experiment in recorded.experiments:
        verdicts += judge_experiment(recorded, experiment, known)
    verdicts += _conformance(run)
    if not verdicts:
        verdicts.append(_nothing("", "plan", "the run holds no experiment"))
    return verdicts


def _conformance(run: Path) -> list[Verdict]:
    """What the conformance suites wrote into the run's folder; nothing when they did not run for it."""
    path = run / CONFORMANCE
    if not path.exists():
        return []
    try:
        found = [Verdict(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        return [_nothing("conformance", "conformance", f"{CONFORMANCE} cannot be read: {error}")]
    return found or [_nothing("conformance", "conformance", f"{CONFORMANCE} holds no verdict")]


def judge_by_name(run: Path, experiment: str, promises: Sequence[Promise] | None = None) -> list[Verdict]:
    """The verdicts of one experiment of a run, in the order of the promises; unknown when the run does not hold it."""
    known = promise_file.load() if promises is None else promises
    recorded = read_run(run, only=experiment)
    found = recorded.experiments or [RunExperiment(experiment)]
    return [verdict for each in found for verdict in judge_experiment(recorded, each, known)]


def judge_experiment(run: Run, experiment: RunExperiment, promises: Sequence[Promise]) -> list[Verdict]:
    """The verdicts of one experiment that `read_run` has loaded, in the order of the promises."""
    mine = [promise for promise in promises if experiment.name in promise.experiments]
    if not mine:
        return [_nothing(experiment.name, "none", f"promises.yaml holds no promise for {experiment.name}")]
    return [_verdict(run, experiment, promise) for promise in mine]


def write_verdicts(run: Path) -> list[Verdict]:
    """Judge a run with the repository's promises, write `verdicts.json` into its folder and return the verdicts."""
    verdicts = judge(run)
    text = json.dumps([asdict(verdict) for verdict in verdicts], indent=1, ensure_ascii=False)
    (run / "verdicts.json").write_text(text + "\n", encoding="utf-8")
    return verdicts


def read_verdicts(run: Path) -> list[Verdict]:
    """The verdicts written before; FileNotFoundError when the run was not judged."""
    return [Verdict(**entry) for entry in json.loads((run / "verdicts.json").read_text(encoding="utf-8"))]


def disturbed_rounds(run: Path) -> list[str]:
    """Disturbed rounds of a run, `experiment/round-01: why`; their number belongs on the first page (rule 11)."""
    rounds = [recorded for experiment in read_run(run).experiments for recorded in experiment.rounds]
    return [f"{_name(recorded)}: {why}" for recorded in rounds if (why := disturbance(recorded))]


def keeps(
    verdicts: Sequence[Verdict], promise: str, experiment: str, not_run: Callable[[str], object] | None = None
) -> None:
    """AssertionError with one paragraph unless the promise was kept in the experiment.

    A verdict `not run` is handed to `not_run` (say, `pytest.skip`) with the reason; without it, it is an error too.
    """
    found = [each for each in verdicts if each.promise == promise and each.experiment == experiment]
    if not found:
        raise AssertionError(f"{experiment}: no verdict on the promise {promise}, so it is not kept")
    for verdict in found:
        if verdict.verdict == "not run" and not_run is not None:
            not_run(verdict.why)
        elif verdict.verdict != "pass":
            raise AssertionError(paragraph(verdict))


def paragraph(verdict: Verdict) -> str:
    """A verdict as one readable paragraph: promise, bound, what was measured, why, evidence, how to repeat it."""
    bound = "no bound" if verdict.bound is None else f"{verdict.bound:g} {verdict.unit}"
    rounds = ", ".join("?" if value is None else f"{value:g}" for value in verdict.measured["rounds"]) or "nothing"
    told = [
        f"{verdict.sentence or verdict.promise}: {verdict.verdict.upper()} in {verdict.experiment}.",
        f"Bound {bound}; measured by round: {rounds} {verdict.unit}.",
        f"{verdict.why}.",
        f"Evidence: {', '.join(verdict.evidence) or 'none'}.",
        f"Repeat it with: {verdict.reproduce or 'no command is recorded'}",
    ]
    return " ".join(told)


def _verdict(run: Run, experiment: RunExperiment, promise: Promise) -> Verdict:
    judged = [_judge_round(experiment, planned, promise) for planned in _rounds_that_count(experiment, promise)]
    word: Word = _word(judged)
    why = _why(judged, word)
    if experiment.not_run:
        word, why = "not run", experiment.not_run
    elif not judged:
        why = "the run holds no round of this experiment"
    configured = _configured(judged, promise)
    return Verdict(
        experiment=experiment.name,
        promise=promise.id,
        sentence=promise.sentence,
        component=_component(promise, judged),
        bound=configured if promise.bound is None else promise.bound,
        configured_bound=configured,
        unit=promise.unit,
        measured=_measured([each.finding.measured for each in judged]),
        verdict=word,
        why=why,
        evidence=_evidence(run, judged, promise),
        reproduce=_reproduce(judged, word, run),
    )


def _rounds_that_count(experiment: RunExperiment, promise: Promise) -> list[Round]:
    """Timing is judged once a planned round; integrity on every round, repeats included."""
    if checker(promise.checker).TIMING:
        return [recorded for recorded in experiment.rounds if recorded.repeats is None]
    return experiment.rounds


def _judge_round(experiment: RunExperiment, recorded: Round, promise: Promise) -> _Judged:
    judge_it = checker(promise.checker)
    chosen, disturbed = recorded, ""
    if judge_it.TIMING:
        chosen, disturbed = _undisturbed(experiment, recorded)
    if disturbed:
        return _Judged(recorded, unknown(disturbed))
    try:
        return _Judged(chosen, judge_it.check(chosen, promise.bound, **promise.arguments))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Files of a foreign shape must not end the judgement of all others.
        return _Judged(chosen, unknown(f"the round's files have a foreign shape: {type(error).__name__}: {error}"))


def _undisturbed(experiment: RunExperiment, recorded: Round) -> tuple[Round, str]:
    """The round itself or, when it is disturbed, the first of at most two repeats that is not."""
    repeats = [again for again in experiment.rounds if again.repeats == recorded.number][:TIMING_REPEATS]
    reasons = []
    for candidate in (recorded, *repeats):
        reason = disturbance(candidate)
        if not reason:
            return candidate, ""
        reasons.append(reason)
    tried = f" (and {len(repeats)} repeats)" if repeats else ""
    return recorded, f"{reasons[0]}{tried}"


def still_disturbed(experiment: RunExperiment) -> list[int]:
    """Numbers of the planned rounds whose timing does not count, and of which no repeat was quiet either."""
    planned = [recorded for recorded in experiment.rounds if recorded.repeats is None]
    return [recorded.number for recorded in planned if _undisturbed(experiment, recorded)[1]]


def _word(judged: Sequence[_Judged]) -> Literal["pass", "fail", "unknown"]:
    words = {each.finding.verdict for each in judged}
    if "fail" in words:
        return "fail"
    return "unknown" if "unknown" in words or not words else "pass"


def _why(judged: Sequence[_Judged], word: Word) -> str:
    """Every round that decided the verdict, or for a pass the round closest to the bound."""
    deciding = [each for each in judged if each.finding.verdict == word]
    if word == "pass":
        deciding = [max(deciding, key=lambda each: each.finding.measured or 0)]
    return "; ".join(f"round {each.recorded.number}: {each.finding.why}" for each in deciding if each.finding.why)


def _measured(rounds: list[float | None]) -> dict[str, Any]:
    """Every round, median, maximum and how many were measured; no p95, since there are never 20 (rule 5)."""
    known = [value for value in rounds if value is not None]
    middle = round(median(known), 1) if known else None
    return {"rounds": rounds, "median": middle, "max": max(known, default=None), "n": len(known)}


def _configured(judged: Sequence[_Judged], promise: Promise) -> float | None:
    """The largest configured bound of the rounds, for promises about the outage of the component under fault."""
    if promise.checker not in ("outage", "configured", "below_configured", "events_arrive"):
        return None
    mine = [each.recorded for each in judged if promise.component in ("{component}", each.recorded.component)]
    return max((ms for recorded in mine if (ms := _ms(recorded)) is not None), default=None)


def _ms(recorded: Round) -> float | None:
    try:
        return configured_ms(recorded)
    except (AttributeError, TypeError, ValueError):
        return None


def _component(promise: Promise, judged: Sequence[_Judged]) -> str:
    known = next((each.recorded.component for each in judged if each.recorded.component), "")
    return promise.component.replace("{component}", known or "unknown")


def _evidence(run: Run, judged: Sequence[_Judged], promise: Promise) -> list[str]:
    needed = ("round.json", *checker(promise.checker).NEEDS)
    files = [each.recorded.folder / name for each in judged for name in needed]
    return [str(file.relative_to(run.folder)) for file in files if file.exists()]


def _reproduce(judged: Sequence[_Judged], word: Word, run: Run) -> str:
    deciding = [each for each in judged if each.finding.verdict == word]
    worst = max(deciding, key=lambda each: each.finding.measured or 0, default=None)
    return run.command(worst.recorded) if worst else ""


def _name(recorded: Round) -> str:
    return f"{recorded.experiment}/{recorded.folder.name}"


def _nothing(experiment: str, promise: str, why: str) -> Verdict:
    """A verdict on what cannot be judged at all."""
    sentence = "The run can be judged"
    return Verdict(experiment, promise, sentence, "", None, None, "", _measured([]), "unknown", why, [], "")
