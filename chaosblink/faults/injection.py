"""From a selector to a fault that has bitten: resolve, write down, arm the reverter, inject, prove."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from chaosblink import faults
from chaosblink.faults import journal, reverter
from chaosblink.faults.effect import Effect, Fault, FaultError, snapshot
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
    broken = faults.of(fault, target, **arguments)
    try:
        victims = [snapshot(target, instance) for instance in resolve(target, selector, seed)]
    except PlatformError as error:
        raise FaultError(f"{fault}: {error}") from None
    entry = journal.plan(target, fault, arguments, selector, victims, ttl)
    place = journal.path(target, entry.id)
    reverter.arm(place)
    try:
        return _bite(broken, entry, place)
    except (FaultError, PlatformError, Timeout) as error:
        journal.update(place, status="failed", why=str(error))
        raise FaultError(f"{fault} of {selector}: {error} ({undo(target, place)})") from None


def _bite(fault: Fault, entry: journal.Entry, place: Path) -> Effect:
    with journal.exclusive(place):
        mark("fault", entry.label("injecting"))
        effect = fault.inject(entry.victims)
        journal.update(place, status="injected", t0=effect.t0, proof=effect.proof)
        mark("fault", entry.label("bitten") | {"proof": effect.proof}, at=effect.t0)
    return replace(effect, id=entry.id, selector=entry.selector, arguments=entry.arguments)
