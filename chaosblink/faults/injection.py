"""From a selector to a fault that has bitten: resolve, write down, arm the reverter, inject, prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaosblink.faults import driver, journal, reverter
from chaosblink.faults.effect import Effect, Fault, FaultError
from chaosblink.faults.timeline import mark
from chaosblink.faults.undo import undo
from chaosblink.selectors import resolve
from chaosblink.targets import PlatformError, Target
from chaosblink.waiting import Timeout

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
    driving = driver.of(target)
    driving.fault(fault, ttl, arguments)  # an unknown fault or argument is said before anything is asked of a server
    try:
        victims = driving.snapshot(resolve(target, selector, seed))
    except PlatformError as error:
        raise FaultError(f"{fault}: {error}") from None
    return carry_out(target, journal.plan(target, fault, arguments, selector, victims, ttl), reverter.arm)


def carry_out(target: Target, entry: journal.Entry, arm: Callable[[Path], None]) -> Effect:
    """Inject a fault that stands in the journal, once `arm` has seen to its end; undone before an error is raised."""
    place = journal.path(target, entry.id)
    arm(place)
    try:
        return _bite(driver.of(target).fault(entry.fault, entry.ttl, entry.arguments), entry, place)
    except (FaultError, PlatformError, Timeout) as error:
        journal.update(place, status="failed", why=str(error))
        raise FaultError(f"{entry.fault} of {entry.selector}: {error} ({undo(target, place)})") from None


def _bite(fault: Fault, entry: journal.Entry, place: Path) -> Effect:
    with journal.exclusive(place):
        mark("fault", entry.label("injecting"))
        effect = fault.inject(entry.victims)
        journal.update(place, status="injected", t0=effect.t0, proof=effect.proof)
        mark("fault", entry.label("bitten") | {"proof": effect.proof}, at=effect.t0)
    return replace(effect, id=entry.id, selector=entry.selector, arguments=entry.arguments)
