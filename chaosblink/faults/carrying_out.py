"""A journaled fault is carried out: its end is seen to first, then it is injected and proven, or undone at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chaosblink.faults import driver, journal
from chaosblink.faults.effect import Effect, Fault, FaultError
from chaosblink.faults.timeline import mark
from chaosblink.faults.undo import undo
from chaosblink.targets import PlatformError, Target
from chaosblink.waiting import Timeout


def carry_out(target: Target, entry: journal.Entry, arm: Callable[[Path], None]) -> Effect:
    """Inject a fault that stands in the journal, once `arm` has seen to its end; undone before an error is raised."""
    place = journal.path(target, entry.id)
    arm(place)
    try:
        return _bite(driver.of(target, entry.fault).fault(entry.fault, entry.ttl, entry.arguments), entry, place)
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
