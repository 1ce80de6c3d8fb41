"""Components: what each server of the platform is, asked of the server itself; one file each, and a line here."""

from __future__ import annotations

from collections.abc import Callable

from chaosblink.components.edge import Edge
from chaosblink.components.eventrelay import Eventrelay
from chaosblink.components.identity import Identity
from chaosblink.components.pgpool import Pgpool
from chaosblink.components.postgresql import Postgresql
from chaosblink.components.protocol import Bound, Component, Redundancy
from chaosblink.components.redis import Redis
from chaosblink.components.sentinel import Sentinel
from chaosblink.components.vault import Vault
from chaosblink.targets import PlatformError, Target

ALL: dict[str, Callable[[Target], Component]] = {
    "vault": Vault,
    "postgresql": Postgresql,
    "pgpool": Pgpool,
    "redis": Redis,
    "sentinel": Sentinel,
    "identity": Identity,
    "edge": Edge,
    "eventrelay": Eventrelay,
}


def of(target: Target, name: str) -> Component:
    """The component of that name; PlatformError when the platform knows none."""
    if name not in ALL:
        raise PlatformError(f"no component is called {name!r}; there are {', '.join(ALL)}")
    return ALL[name](target)


__all__ = ["ALL", "Bound", "Component", "Redundancy", "of"]
