"""How the number of users changes over time: pure functions of the seconds since the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """`peak` users at most, `rate` of them started a second, `step_s` seconds between changes."""

    peak: int
    rate: float
    step_s: float


Shape = Callable[[float, Load], tuple[int, float]]


def steady(_elapsed: float, load: Load) -> tuple[int, float]:
    """All users from the start."""
    return load.peak, load.rate


def step(elapsed: float, load: Load) -> tuple[int, float]:
    """A quarter of the users more with every step, until all are there."""
    quarters = min(4, int(elapsed // load.step_s) + 1)
    return max(1, load.peak * quarters // 4), load.rate


def spike(elapsed: float, load: Load) -> tuple[int, float]:
    """A tenth of the users; every third step all of them at once."""
    if int(elapsed // load.step_s) % 3 == 1:
        return load.peak, load.peak
    return max(1, load.peak // 10), load.peak


SHAPES: dict[str, Shape] = {"steady": steady, "step": step, "spike": spike}
