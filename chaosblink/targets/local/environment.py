"""The environment each start script runs in: the same variables the chart gives its containers."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from pathlib import Path

from chaosblink.targets import Instance
from chaosblink.targets.local.layout import EDGE_HOST, IDENTITY_HOST, REDIS_HOST, Layout, group_of, value


def environment(layout: Layout, state: Path, instance: Instance) -> dict[str, str]:
    """Variables of one instance; see docs/architecture.md for what each means."""
    home = state / "instances" / instance.name
    group = group_of(instance)
    variables = {
        "INSTANCE": instance.name,
        "ADDRESS": instance.address,
        "PEERS": layout.listed(instance.component),
        "DATA": str(home / "data"),
        "SECRETS": str(home / "secrets"),
        "TLS": str(home / "tls"),
        "FILES": str(state / "files" / instance.component),
        "HOME": str(home / "data"),
        "PATH": os.pathsep.join(
            (str(state / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin")
        ),
        "LANG": "C.UTF-8",
        "RUN_AS": run_as(group.user),
        **_of_component(layout, instance),
    }
    chosen = value(layout.values, group.env)
    return variables | {name: str(setting) for name, setting in chosen.items()}


def run_as(user: str) -> str:
    """The user a start script drops to: empty when the caller is not root, since then it cannot change user."""
    if os.geteuid():
        return ""
    return user or os.environ.get("SUDO_USER", "") or getpass.getuser()


def _of_component(layout: Layout, instance: Instance) -> dict[str, str]:
    match instance.component:
        case "redis":
            number = instance.ordinal + 1
            return {
                "SET": str(number),
                "PEERS": " ".join(f"{i.name}={i.address}" for i in layout.redis_set(number)),
                "SENTINELS": layout.listed("sentinel"),
                "INITIAL_ROLE": "master" if instance.name.startswith("redis-master") else "replica",
            }
        case "sentinel":
            masters = [i for i in layout.instances("redis") if i.name.startswith("redis-master")]
            return {"MASTERS": " ".join(f"set-{i.ordinal + 1}={i.address}" for i in masters)}
        case "postgresql":
            return {"ALLOWED_NETWORK": layout.network, "PG_BIN": pg_bin()}
        case "pgpool":
            return {"BACKENDS": layout.listed("postgresql"), "ALLOWED_NETWORK": layout.network}
        case "identity":
            return {"PORT": str(instance.port), "EXTERNAL_URL": f"https://{IDENTITY_HOST}", **through_the_edge(layout)}
        case "eventrelay":
            return {
                "PROGRAM": "consumer" if instance.name.startswith("eventconsumer") else "relay",
                "PORT": str(instance.port),
                **through_the_edge(layout),
            }
        case "edge":
            return {
                "IDENTITY": layout.listed("identity"),
                "PGPOOL": layout.listed("pgpool"),
                "VAULT": layout.listed("vault"),
                "SENTINELS": layout.listed("sentinel"),
                "REDIS_SET1": " ".join(f"{i.name}={i.address}" for i in layout.redis_set(1)),
                "EDGE_TLS_PORT": str(instance.port),
            }
    return {}


def through_the_edge(layout: Layout) -> dict[str, str]:
    """Where a server finds PostgreSQL, Redis and Vault: names with one address an edge instance (see `names`).

    Without namespaces there are no such names. Then libpq gets all addresses, and the two clients that take only one
    get the first: without it the cache misses, and a node that starts waits for Vault.
    """
    first = layout.edges[0].address
    every = ",".join(edge.address for edge in layout.edges)
    return {
        "DATABASE_HOST": EDGE_HOST if layout.namespaces else every,
        "DATABASE_PORT": "5432",
        "REDIS_HOST": REDIS_HOST if layout.namespaces else first,
        "REDIS_PORT": "6379",
        "VAULT_ADDR": f"https://{EDGE_HOST if layout.namespaces else first}:8200",
    }


def pg_bin() -> str:
    """Directory of the newest installed PostgreSQL that has repmgr beside it; empty when there is none."""
    servers = Path("/usr/lib/postgresql")
    found = sorted((p.parent for p in servers.glob("*/bin/repmgr")), key=lambda p: float(p.parent.name))
    if found:
        return str(found[-1])
    beside_path = shutil.which("repmgr")
    return str(Path(beside_path).parent) if beside_path else ""
