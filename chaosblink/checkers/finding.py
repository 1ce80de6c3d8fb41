"""What a checker says about one round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Judgement = Literal["pass", "fail", "unknown"]
NAMED = 5
"""Offenders named in a sentence before the rest is only counted: a thousand ids help nobody."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One checker's answer for one round; `measured` is in the promise's unit, None when it could not be measured."""

    verdict: Judgement
    measured: float | None = None
    why: str = ""


def unknown(why: str) -> Finding:
    """The data does not allow an answer."""
    return Finding("unknown", None, why)


def names(offenders: Sequence[str]) -> str:
    """`a, b, c, d, e and 7 more`."""
    shown = ", ".join(offenders[:NAMED])
    return f"{shown} and {len(offenders) - NAMED} more" if len(offenders) > NAMED else shown


def milliseconds(nanoseconds: int | float) -> float:
    """Nanoseconds as milliseconds, rounded to 0.1 ms: no prober resolves less."""
    return round(nanoseconds / 1e6, 1)
