"""The measured outage stays below what the live configuration allows: the formula is right (rule 7)."""

from __future__ import annotations

from collections.abc import Sequence

from chaosblink.checkers import outage
from chaosblink.checkers.configured import configured_ms
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.rounds import Round

NEEDS = outage.NEEDS
TIMING = True


def check(recorded: Round, bound: None, paths: Sequence[str]) -> Finding:  # noqa: ARG001 - the bound is in round.json
    """Every one of `paths` is back within the configured bound of the component under fault."""
    configured = configured_ms(recorded)
    if configured is None:
        return unknown(recorded.lacks() or f"round.json holds no configured bound of {recorded.component}")
    return outage.check(recorded, configured, paths=paths)
