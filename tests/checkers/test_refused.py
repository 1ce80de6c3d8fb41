"""Whether a pod was made while the injector was away: one that was fails, and a refusal nobody saw is no pass."""

from __future__ import annotations

from typing import Any

import pytest

from chaosblink.checkers import refused
from chaosblink.history import Event
from tests.synthetic_history import T0, a_round


def judged(proof: dict[str, Any]) -> tuple[str, float | None]:
    finding = refused.check(a_round([], [Event(T0, "fault", {"event": "bitten", "proof": proof})]), 0)
    return finding.verdict, finding.measured


def test_a_refusal_passes() -> None:
    assert judged({"refused": "failed calling webhook", "made": []}) == ("pass", 0)


@pytest.mark.parametrize("said", ["", "failed calling webhook"])
def test_a_pod_that_was_made_fails_also_where_another_was_refused(said: str) -> None:
    assert judged({"refused": said, "made": ["zitadel-x"]}) == ("fail", 1)


@pytest.mark.parametrize("proof", [{}, {"made": []}, {"refused": "no"}, {"refused": "", "made": []}])
def test_what_nobody_looked_at_is_unknown(proof: dict[str, Any]) -> None:
    assert judged(proof)[0] == "unknown"
