"""Undo journaled faults and prove it: the one way out, whether the run, its reverter or a person asks."""

from __future__ import annotations

from pathlib import Path

from chaosblink.faults import driver, journal
from chaosblink.faults.effect import FaultError
from chaosblink.faults.timeline import mark
from chaosblink.targets import PlatformError, Target
from chaosblink.waiting import Timeout, until

HEAL_S = 30.0
"""An instance is back in this time; whether it is redundant again is the round's question and not the fault's."""


def undo(target: Target, place: Path) -> str:
    """Revert one fault, prove that nothing is left and close its entry; returns one line on what was done.

    No error when it is already undone. FaultError when something is left; the entry then stays open.
    """
    with journal.exclusive(place):
        entry = journal.load(place)
        label = f"{entry.fault} of {entry.selector} ({', '.join(v.instance for v in entry.victims)})"
        if not entry.open:
            return f"{label}: was already undone"
        left = _revert(target, entry)
        mark("fault", entry.label("residue" if left else "healed") | ({"left": left} if left else {}))
        journal.update(place, status="failed" if left else "reverted", why="; ".join(left))
    if left:
        raise FaultError(f"{label}: something is left: {'; '.join(left)}")
    return f"{label}: undone, nothing is left"


def _revert(target: Target, entry: journal.Entry) -> list[str]:
    effect = entry.effect()
    try:
        fault = driver.of(target, entry.fault).fault(entry.fault, entry.ttl, entry.arguments)
        fault.revert(effect)
        mark("fault", entry.label("reverted"))
        until(lambda: not fault.residue(entry.victims), HEAL_S, f"nothing is left of {entry.id}")
    except (FaultError, PlatformError, Timeout) as error:
        return _residue(target, entry) or [str(error)]
    return []


def _residue(target: Target, entry: journal.Entry) -> list[str]:
    try:
        return driver.of(target, entry.fault).fault(entry.fault, entry.ttl, entry.arguments).residue(entry.victims)
    except (FaultError, PlatformError) as error:
        return [str(error)]


def rollback(target: Target) -> list[str]:
    """Undo every open fault of a platform, newest first; one line each. FaultError when anything is left of any.

    All are tried before the error is raised.
    """
    done, left = [], []
    for place in reversed(journal.open_faults(target)):
        try:
            done.append(undo(target, place))
        except FaultError as error:
            left.append(str(error))
    if left:
        raise FaultError("; ".join(left))
    return done


def residue(target: Target) -> list[str]:
    """What is left of any fault of a platform, one line each: open entries, and traces of entries that were closed."""
    lines = []
    for place in sorted(journal.folder(target).glob("*.json")):
        entry = journal.load(place)
        if entry.open:
            lines.append(f"{entry.id} is still open ({entry.status})")
        lines.extend(f"{entry.id}: {line}" for line in _residue(target, entry))
    return lines
