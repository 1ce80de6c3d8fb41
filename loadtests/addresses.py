"""Gives `--host` all addresses in LOGIN_ADDRESSES (`a,b`), as a name with several A records has them.

Locust's client dials them in order and takes the next where one refuses; each connection begins with another one.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import gevent
from gevent.resolver.thread import Resolver


class Addresses(Resolver):
    """gevent's own resolver, but for one name."""

    def __init__(self, every: list[str]) -> None:
        """`every` is all addresses; the first is the name that is looked up."""
        super().__init__()
        self._every = every
        self._turn = itertools.count()

    def getaddrinfo(self, host: Any, *rest: Any, **more: Any) -> list[Any]:
        """As the standard library's; the name is answered with every address, another one first each time."""
        if (host.decode() if isinstance(host, bytes) else host) != self._every[0]:
            found: list[Any] = super().getaddrinfo(host, *rest, **more)
            return found
        first = next(self._turn) % len(self._every)
        turned = self._every[first:] + self._every[:first]
        return [info for address in turned for info in super(Addresses, self).getaddrinfo(address, *rest, **more)]


def install() -> None:
    """Have this process resolve `--host` so; nothing changes where LOGIN_ADDRESSES names no second address."""
    every = [address for address in os.environ.get("LOGIN_ADDRESSES", "").split(",") if address]
    if len(every) > 1:
        gevent.get_hub().resolver = Addresses(every)
