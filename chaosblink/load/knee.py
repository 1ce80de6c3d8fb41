"""Where more users stop bringing more work: a pure rule over the steps measured so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chaosblink.load.steps import Step

GROWTH = 1.05
"""A step must do this many times the best step before it, or throughput has stopped growing."""
SLOWER = 2.0
"""So many times the median of the first step is called doubled."""
STEEPNESS = 1.5
"""Each step has so many times the users of the one before, and at least one more."""


@dataclass(frozen=True, slots=True)
class Knee:
    """The step after which more users bring nothing, or cost too much, and how that was seen."""

    users: int
    requests_per_s: float
    why: str


def users_of_steps(first: int, most: int) -> Iterator[int]:
    """Users of each step, from `first` to `most` at the most."""
    users = first
    while users <= most:
        yield users
        users = max(users + 1, round(users * STEEPNESS))


def knee(steps: list[Step]) -> Knee | None:
    """The knee, if the last step shows that the one before it was one; None as long as the platform has room."""
    if len(steps) < 2:
        return None
    last, before = steps[-1], steps[:-1]
    best = max(before, key=lambda step: step.requests_per_s)
    if last.failed and not best.failed:
        return Knee(best.users, best.requests_per_s, f"{last.failed} requests failed with {last.users} users")
    if last.requests_per_s < best.requests_per_s * GROWTH:
        gain = (last.requests_per_s / best.requests_per_s - 1) * 100
        why = f"throughput stopped growing: {gain:+.0f} % with {last.users} users in place of {best.users}"
        return Knee(best.users, best.requests_per_s, why)
    if last.median_ms >= SLOWER * steps[0].median_ms:
        within = max((s for s in before if s.median_ms < SLOWER * steps[0].median_ms), key=lambda s: s.requests_per_s)
        why = f"the median doubled: {last.median_ms:.0f} ms with {last.users} users, {steps[0].median_ms:.0f} ms with"
        return Knee(within.users, within.requests_per_s, f"{why} {steps[0].users}")
    return None
