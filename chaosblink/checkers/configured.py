"""The bound that follows from the live configuration does not exceed the promise (rule 7)."""

from __future__ import annotations

from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.rounds import Round

NEEDS = ()
TIMING = False


def check(recorded: Round, bound: float) -> Finding:
    """The component's formula, filled with the live settings, gives at most `bound` ms."""
    lacking = recorded.lacks()
    if lacking:
        return unknown(lacking)
    ms = configured_ms(recorded)
    if ms is None:
        return unknown(f"round.json holds no configured bound of {recorded.component}")
    formula = recorded.settings["bounds"][recorded.component].get("formula", "")
    if ms > bound:
        return Finding("fail", ms, f"the live configuration allows {ms:g} ms, above {bound:g} ms ({formula})")
    return Finding("pass", ms, f"the live configuration gives {ms:g} ms ({formula})")


def configured_ms(recorded: Round) -> float | None:
    """The configured bound of the component under fault in ms, None when round.json holds none."""
    ms = recorded.settings.get("bounds", {}).get(recorded.component, {}).get("ms")
    return None if ms is None else float(ms)
