"""Keeps a client's list of instances up to date with the address book of its run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from chaosblink.targets import Instance

LOOK_EVERY_S = 0.2


def read_book(path: Path) -> list[Instance]:
    """The instances of an address book; OSError or ValueError when it cannot be read."""
    return [Instance(**item) for item in json.loads(path.read_text(encoding="utf-8"))]


def turn_page(known: list[Instance], now: list[Instance]) -> None:
    """Make `known` (changed in place: many hold it) the instances of now, and keep the earlier ones behind them.

    An answer or a view may still speak of an address whose pod is gone, and must be given its name. `current` leaves
    them out.
    """
    earlier = [each for each in known if each not in now]
    known[:] = [*now, *earlier]


def current(known: list[Instance], component: str) -> list[Instance]:
    """The instances of a component as they are now: of each name the first."""
    found: dict[str, Instance] = {}
    for each in known:
        if each.component == component:
            found.setdefault(each.name, each)
    return list(found.values())


async def follow(book: str, turn: Callable[[list[Instance]], None]) -> None:
    """Call `turn` with the present instances whenever the book changes; runs for ever. An empty name is no book."""
    seen = 0
    while book:
        await asyncio.sleep(LOOK_EVERY_S)
        path = Path(book)
        changed = path.stat().st_mtime_ns
        if changed != seen:
            seen = changed
            turn(read_book(path))
    await asyncio.Event().wait()
