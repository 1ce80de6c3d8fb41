"""While the injector is away no pod is made: each would have started without its secrets."""

from __future__ import annotations

from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round

NEEDS = ("timeline.jsonl",)
TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """At most `bound` pods were made in place of those deleted, and the webhook's refusal was seen."""
    lacking = recorded.lacks(*NEEDS)
    if lacking:
        return unknown(lacking)
    proofs = [event.data.get("proof") or {} for event in recorded.faults("bitten")]
    told = [proof for proof in proofs if "made" in proof and "refused" in proof]
    if not told:
        return unknown("no proof says what became of the pods that should have taken the victims' places")
    made = [str(name) for proof in told for name in proof["made"]]
    if len(made) > bound:
        return Finding("fail", len(made), f"made without the injector: {names(made)}")
    if not all(proof["refused"] for proof in told):
        return unknown("no refusal was seen: nobody tried to make a pod")
    return Finding("pass", len(made), f"refused: {told[0]['refused']}")
