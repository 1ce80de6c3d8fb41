"""What the users of a load do, as shares of their operations: pure data and a pure draw."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mix:
    """A named mix: how often each operation is drawn, in per cent, and why it is so."""

    name: str
    shares: Mapping[str, int]
    reason: str

    def draw(self, chance: random.Random) -> str:
        """The next operation; "login", "userinfo", "refresh", "introspect" or "machine-login"."""
        return chance.choices(list(self.shares), weights=list(self.shares.values()))[0]

    def stated(self) -> str:
        """The mix in one line, for a page or a report."""
        return f"{self.name}: " + ", ".join(f"{share} % {name}" for name, share in self.shares.items())


EVERYDAY = Mix(
    "everyday",
    {"introspect": 50, "userinfo": 20, "refresh": 15, "login": 10, "machine-login": 5},
    "for each login (six requests) five API calls that introspect, two looks at the profile, one or two renewals by an"
    " application that was left open, and half a machine login: what applications cause outweighs what people do",
)
LOGINS = Mix("logins", {"login": 100}, "people only: a login in a new browser and a few looks at the profile")

MIXES = {mix.name: mix for mix in (LOGINS, EVERYDAY)}
