"""From a selector to a fault that has bitten: resolve, write down, arm the reverter, inject, prove."""

from __future__ import annotations

from typing import Any

from chaosblink.faults import driver, journal, reverter
from chaosblink.faults.carrying_out import carry_out
from chaosblink.faults.effect import Effect, FaultError
from chaosblink.targets import PlatformError, Target

TTL_S = 180.0
"""Longer than a round waits for full redundancy, so that reverting never helps a platform that is being measured."""


def inject(
    target: Target,
    fault: str,
    selector: str,
    ttl: float = TTL_S,
    seed: int | None = None,
    **arguments: Any,
) -> Effect:
    """Inject `fault` into what `selector` names at this moment and return once it has bitten; `ttl` in seconds.

    `arguments` are the fault's own (isolate: inbound, outbound). FaultError when the selector matches nothing, a victim
    is already down, or the fault does not bite; what was begun is undone before the error is raised.
    """
    driving = driver.of(target, fault)
    driving.fault(fault, ttl, arguments)  # an unknown fault or argument is said before anything is asked of a server
    try:
        victims = driving.victims(selector, seed)
    except PlatformError as error:
        raise FaultError(f"{fault}: {error}") from None
    return carry_out(target, journal.plan(target, fault, arguments, selector, victims, ttl), reverter.arm)
