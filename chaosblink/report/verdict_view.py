"""Verdicts as a reader wants them: the word for the whole, the order of the rows, numbers with their units."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

PASS, FAIL, UNKNOWN, NOT_RUN = "pass", "fail", "unknown", "not run"
ORDER = (FAIL, UNKNOWN, NOT_RUN, PASS)
SYMBOLS = {PASS: "✓", FAIL: "✗", UNKNOWN: "?", NOT_RUN: "\u2013"}
HEADINGS = {FAIL: "Not kept", UNKNOWN: "Unknown, which counts as not kept", NOT_RUN: "Not run here", PASS: "Kept"}
NO_FIGURE = "\u2013"


@dataclass(frozen=True, slots=True)
class Whole:
    """The verdict of the whole run: KEPT, BROKEN or UNKNOWN, why in a sentence, and the count of each verdict."""

    word: str
    sentence: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Dot:
    """One round on a row's scale: percent of its width, and whether it lies beyond the bound."""

    at: float
    beyond: bool


def whole(verdicts: list[dict[str, Any]], release: bool = False) -> Whole:
    """Judge the run by its verdicts: any fail breaks it, any unknown leaves it unknown (docs/architecture.md, words).

    *Not run* never counts as a pass, and leaves a release run unknown.
    """
    counts = Counter(word_of(verdict) for verdict in verdicts)
    tally = {word: counts[word] for word in (PASS, FAIL, UNKNOWN, NOT_RUN)}
    failed, unknown, skipped, total = counts[FAIL], counts[UNKNOWN], counts[NOT_RUN], len(verdicts)
    if failed:
        more = f", and {unknown} could not be judged" if unknown else ""
        return Whole("BROKEN", f"{failed} of {total} promises {_were(failed)} not kept{more}.", tally)
    if unknown:
        return Whole("UNKNOWN", f"{unknown} of {total} promises could not be judged. Unknown is not a pass.", tally)
    if not counts[PASS]:
        return Whole("UNKNOWN", "Nothing was judged in this run.", tally)
    if skipped and release:
        return Whole("UNKNOWN", f"{skipped} of {total} promises {_were(skipped)} not run; a release needs all.", tally)
    rest = f" {skipped} {_were(skipped)} not run and {'are' if skipped > 1 else 'is'} not claimed." if skipped else ""
    return Whole("KEPT", f"All {counts[PASS]} promises that were put to the test were kept.{rest}", tally)


def word_of(verdict: dict[str, Any]) -> str:
    """The verdict's word; whatever is not one of the four is unknown."""
    word = str(verdict.get("verdict", ""))
    return word if word in SYMBOLS else UNKNOWN


def in_order(verdicts: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Groups (word, verdicts) with what failed first; inside a group the order of the file."""
    groups = [(word, [verdict for verdict in verdicts if word_of(verdict) == word]) for word in ORDER]
    return [(word, members) for word, members in groups if members]


def sentence(verdict: dict[str, Any]) -> str:
    """The promise as a sentence, its id when there is none."""
    return str(verdict.get("sentence") or verdict.get("promise") or "a promise without a name")


def amount(value: Any, unit: str = "") -> str:
    """A number with its unit, `12,000 ms`; a dash for what is not a number, so that a missing figure is seen."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NO_FIGURE if value in (None, "") else str(value)
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def dots(verdict: dict[str, Any]) -> tuple[list[Dot], float] | None:
    """Every measured round on a scale that also holds the bound, and where the bound is; None when it cannot be drawn.

    Only durations are drawn: a count against a bound of zero says more as a number.
    """
    bound, rounds = verdict.get("bound"), (verdict.get("measured") or {}).get("rounds") or []
    known = [value for value in rounds if isinstance(value, int | float) and not isinstance(value, bool)]
    if verdict.get("unit") not in ("ms", "s") or not isinstance(bound, int | float) or bound <= 0 or not known:
        return None
    longest = max([*known, bound]) * 1.04
    return [Dot(round(100 * value / longest, 1), value > bound) for value in known], round(100 * bound / longest, 1)


def _were(count: int) -> str:
    return "were" if count > 1 else "was"
