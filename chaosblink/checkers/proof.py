"""The fault bit: every victim of the round is proven to have been hit."""

from __future__ import annotations

from typing import Any

from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round

NEEDS = ("timeline.jsonl",)
TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` victims without proof; a round in which nothing was hit proves nothing and is unknown."""
    lacking = recorded.lacks(*NEEDS)
    if lacking:
        return unknown(lacking)
    bites = recorded.faults("bitten")
    if not bites:
        return unknown("the timeline has no `bitten` event: the fault was not seen to bite")
    victims = [str(victim) for victim in recorded.settings.get("victims", [])]
    if not victims:
        return unknown("round.json names no victim")
    hit = {name for bite in bites for name in proven(bite.data.get("proof") or {})}
    unproven = [victim for victim in victims if victim not in hit]
    if len(unproven) > bound:
        return Finding("unknown", len(unproven), f"no proof that the fault hit {names(unproven)}")
    return Finding("pass", len(unproven), f"proven for {names(victims)}")


def proven(proof: dict[str, Any]) -> list[str]:
    """Instances a fault's proof speaks of: its `victims` list, one object each with `instance` and what shows it."""
    return [str(entry["instance"]) for entry in proof.get("victims", []) if len(entry) > 1 and _complete(entry)]


def _complete(entry: dict[str, Any]) -> bool:
    """A proof with an empty value (`gone_at: null`) proves nothing."""
    return all(value is not None for value in entry.values())
