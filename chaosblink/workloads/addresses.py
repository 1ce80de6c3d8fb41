"""Several addresses of one entrance, as a name with several A records gives them: each in turn is tried first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle


def turns(addresses: str) -> Iterator[list[str]]:
    """All addresses of `a,b` (as libpq writes several hosts), for ever, another one first each time.

    A client tries them in the order given and takes the next where one refuses. The turns spread new connections over
    all entrances, so that each carries traffic when one of them dies.
    """
    every = [address for address in addresses.split(",") if address]
    if not every:
        raise ValueError("no address to connect to")
    return cycle([every[first:] + every[:first] for first in range(len(every))])
