"""Names with several addresses for the servers that are clients of the edge, in a hosts file each of them has alone.

On Kubernetes a headless Service gives a name one A record an edge instance, and every client (libpq, Go's and Python's
dialling) tries the next one where the first refuses. Here a bind mount over /etc/hosts, seen by that server alone,
gives the same names their addresses.
"""

from __future__ import annotations

from pathlib import Path

from chaosblink.targets import Instance
from chaosblink.targets.local import network
from chaosblink.targets.local.layout import EDGE_HOST, REDIS_HOST, ROOT, Layout

WITH_HOSTS = ROOT / "platform" / "local" / "with-hosts.sh"
CLIENTS = ("identity", "eventrelay")
"""Components whose servers connect through the edge."""


def write(layout: Layout, state: Path, instance: Instance) -> None:
    """Write the instance's hosts file, if it is one that needs it."""
    if _needed(layout, instance):
        _file(state, instance).write_text(hosts(layout, instance))


def hosts(layout: Layout, instance: Instance) -> str:
    """Content of a hosts file. Each instance has another edge first, so that all edges carry traffic."""
    first = instance.ordinal % len(layout.edges)
    edges = layout.edges[first:] + layout.edges[:first]
    return "127.0.0.1 localhost\n" + "".join(f"{edge.address} {EDGE_HOST} {REDIS_HOST}\n" for edge in edges)


def enter(layout: Layout, state: Path, instance: Instance) -> list[str]:
    """What to put before a command so that it runs where the instance runs and sees the names it sees."""
    where = network.enter(layout, instance)
    if not _needed(layout, instance):
        return where
    return [*where, "unshare", "--mount", "sh", str(WITH_HOSTS), str(_file(state, instance))]


def _needed(layout: Layout, instance: Instance) -> bool:
    return layout.namespaces and instance.component in CLIENTS


def _file(state: Path, instance: Instance) -> Path:
    return state / "instances" / instance.name / "hosts"
