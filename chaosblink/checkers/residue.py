"""Nothing of the fault is left when the round is over."""

from __future__ import annotations

from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round

NEEDS = ("timeline.jsonl",)
TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """`residue` of round.json is empty, and the timeline's last word on the fault is `healed`."""
    lacking = recorded.lacks(*NEEDS)
    if lacking:
        return unknown(lacking)
    left = recorded.settings.get("residue")
    if left is None:
        return unknown("round.json does not say what is left of the fault")
    if len(left) > bound:
        return Finding("fail", len(left), f"left of the fault: {names([str(thing) for thing in left])}")
    last = [*recorded.faults("healed"), *recorded.faults("residue")]
    if not last:
        return unknown("the timeline has no `healed` event: nobody looked whether the fault is gone")
    ended = max(last, key=lambda event: event.at)
    if ended.data["event"] == "residue":
        return Finding("fail", 1, f"the timeline ends with residue: {ended.data.get('proof') or ended.data}")
    return Finding("pass", len(left), "nothing left")
