"""Full redundancy is back within its bound and stays."""

from __future__ import annotations

from typing import Literal

from chaosblink.checkers.finding import Finding, milliseconds, unknown
from chaosblink.checkers.rounds import Round
from chaosblink.history import Event

NEEDS = ("timeline.jsonl",)
TIMING = True


def check(recorded: Round, bound: float, since: Literal["t0", "heal"] = "t0") -> Finding:
    """`redundant_ms` of round.json (t0 to full redundancy, ms) is at most `bound`, and the timeline agrees.

    `since` heal: the time that the fault was held is not counted; only what it took from its end on.
    """
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    held = 0.0
    if since == "heal":
        if recorded.reverted is None:
            return unknown("the timeline has no `reverted` event: nobody knows when the fault ended")
        held = milliseconds(recorded.reverted - recorded.t0)
    measured = recorded.settings.get("redundant_ms")
    answers = _answers(recorded)
    last = answers[-1].data if answers else {}
    if measured is None and last.get("redundant") is False and _watched_ms(recorded) - held > bound:
        return Finding("fail", None, f"no full redundancy within {bound:g} ms{_because(last)}")
    if measured is None:
        return unknown(f"full redundancy was not seen again{_because(last)}")
    if last.get("redundant") is False:
        return Finding("fail", measured, f"full redundancy after {measured:g} ms was lost again{_because(last)}")
    measured = round(max(0.0, max(measured, _regained_ms(answers, recorded.t0)) - held), 1)
    if measured > bound:
        return Finding("fail", measured, f"full redundancy took {measured:g} ms, above {bound:g} ms")
    return Finding("pass", measured, f"full redundancy after {measured:g} ms")


def _watched_ms(recorded: Round) -> float:
    """How long after t0 (ms) the timeline goes on."""
    return milliseconds(recorded.events[-1].at - (recorded.t0 or 0))


def _answers(recorded: Round) -> list[Event]:
    """The `redundant` events of the component under fault after t0."""
    t0 = recorded.t0 or 0
    events = [event for event in recorded.events if event.kind == "redundant" and event.at > t0]
    return [event for event in events if event.data.get("component") == recorded.component]


def _regained_ms(answers: list[Event], t0: int) -> float:
    """From t0 to the first yes behind the last no (ms): an early yes may be older than the fault. 0 without a no."""
    noes = [position for position, event in enumerate(answers) if not event.data.get("redundant")]
    return milliseconds(answers[noes[-1] + 1].at - t0) if noes else 0.0


def _because(answer: dict[str, object]) -> str:
    return f": {answer['why']}" if answer.get("why") else ""
