"""A leader that wakes or comes back, and was replaced meanwhile, stops saying that it leads."""

from __future__ import annotations

from chaosblink.checkers.durability import says_it_leads
from chaosblink.checkers.failover import roles_under_fault
from chaosblink.checkers.finding import Finding, milliseconds, unknown
from chaosblink.checkers.rounds import Round

NEEDS = ("timeline.jsonl",)
TIMING = True


def check(recorded: Round, bound: float) -> Finding:
    """From the end of the fault on, a victim says for at most `bound` ms that it leads while another one leads.

    Measured is the time from the fault's end to the victim's first other answer (or silence) behind its last claim; 0
    when it claims nothing, or when nobody replaced it.
    """
    lacking = recorded.lacks(*NEEDS)
    healed = recorded.reverted
    if lacking or recorded.t0 is None or healed is None:
        return unknown(lacking or "the timeline does not tell when the fault began and ended")
    victims = {str(victim) for victim in recorded.settings.get("victims", [])}
    roles = [event for event in roles_under_fault(recorded) if event.at > recorded.t0]
    others = [event for event in roles if says_it_leads(event) and event.data["instance"] not in victims]
    if not others:
        return Finding("pass", 0.0, "nobody else led while the fault was held")
    mine = [event for event in roles if event.data["instance"] in victims and event.at > healed]
    if not mine:
        return unknown("the victim was not asked after the fault had ended")
    claims = [position for position, event in enumerate(mine) if says_it_leads(event)]
    if not claims:
        return Finding("pass", 0.0, "the old leader never said again that it leads")
    if claims[-1] + 1 == len(mine):
        return Finding("fail", None, f"{mine[-1].data['instance']} still says that it leads, beside its successor")
    took = milliseconds(mine[claims[-1] + 1].at - healed)
    told = f"the old leader said that it leads up to {took:g} ms after the fault had ended"
    return Finding("pass" if took <= bound else "fail", took, told)
