"""Which instance a server means when it names an address: locally an IP address, in a cluster often a DNS name."""

from __future__ import annotations

from chaosblink.targets import Target


def who(target: Target, component: str, host: str) -> str:
    """Name of the instance that has this address, or whose name the host name begins with; the host when none has."""
    first = host.split(".")[0]
    names = (i.name for i in target.instances(component) if host == i.address or first == i.name)
    return next(names, host)
