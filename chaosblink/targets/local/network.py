"""One network namespace an instance, all on one bridge inside a namespace of its own; or plain loopback addresses.

Addresses come from 198.18.0.0/15, which RFC 2544 sets aside for testing, so no office network uses them. A blackhole
route lies under each platform's /24 while it exists: no packet for a node can leave by the host's default route.
The bridge sits inside a namespace because a Docker daemon sets the host's FORWARD policy to DROP for bridged frames.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from chaosblink.targets import Instance, PlatformError
from chaosblink.targets.local.layout import Layout

TABLE = "bridge chaosblink"


def namespaces_possible() -> bool:
    """Whether this user on this kernel can make a network namespace (tried, not guessed)."""
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


def busy(prefix: str) -> bool:
    """Whether the host already has a route into a platform's /24."""
    routes = json.loads(_ip("-json", "route", "show", "root", f"{prefix}.0/24").stdout or "[]")
    return bool(routes)


def create(layout: Layout) -> None:
    """Make the bridge, one namespace an instance, and the host's own leg into the bridge."""
    fabric, leg = fabric_name(layout), host_leg(layout)
    _batch(
        [
            f"route add blackhole {layout.prefix}.0/24 metric 9999",
            f"netns add {fabric}",
            f"link add {leg} type veth peer name host netns {fabric}",
            f"address add {host(layout)}/24 dev {leg}",
            f"link set {leg} up",
        ]
    )
    _batch(["link add bridge type bridge forward_delay 0", "link set bridge up", *_joins(["host"])], fabric)
    for index, instance in enumerate(layout.instances()):
        _attach(fabric, f"port{index}", instance)
    _nft(fabric, f"add table {TABLE}\nadd chain {TABLE} cut {{ type filter hook forward priority 0; policy accept; }}")


def _attach(fabric: str, port: str, instance: Instance) -> None:
    _batch(
        [
            f"netns add {instance.node}",
            f"link add name {port} netns {fabric} type veth peer name eth0 netns {instance.node}",
        ]
    )
    _batch(_joins([port]), fabric)
    _batch(
        [
            "link set lo up",
            f"address add {instance.address}/24 dev eth0",
            "link set eth0 up",
        ],
        instance.node,
    )
    # Servers that left root behind still bind 443 at the edge.
    _inside(instance.node, ["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"])


def _joins(ports: Iterable[str]) -> list[str]:
    return [line for port in ports for line in (f"link set {port} master bridge", f"link set {port} up")]


def destroy(layout: Layout) -> None:
    """Remove all that `create` made, also after a `create` cut short; nothing is an error when it is already gone."""
    for instance in layout.instances():
        _ip("netns", "delete", instance.node, check=False)
    _ip("link", "delete", host_leg(layout), check=False)
    _ip("netns", "delete", fabric_name(layout), check=False)
    _ip("route", "delete", "blackhole", f"{layout.prefix}.0/24", "metric", "9999", check=False)


def fabric_name(layout: Layout) -> str:
    """Name of the namespace that holds the bridge."""
    return f"{layout.name}-fabric"


def host(layout: Layout) -> str:
    """The host's own address among the instances, from which the run's clients come."""
    return f"{layout.prefix}.254"


def host_leg(layout: Layout) -> str:
    """Name of the host's interface into the bridge; interface names end at 15 characters."""
    return f"blink{layout.prefix.split('.')[2]}"


def enter(layout: Layout, instance: Instance) -> list[str]:
    """What to put before a command so that it runs in the instance's namespace; empty where there are none."""
    return _entering(instance.node) if layout.namespaces else []


def _entering(node: str) -> list[str]:
    return ["nsenter", f"--net=/run/netns/{node}"]


def inode(node: str) -> int:
    """What identifies a namespace in /proc/PID/ns/net; 0 when the namespace is gone."""
    place = Path("/run/netns", node)
    return place.stat().st_ino if place.exists() else 0


def cut(layout: Layout, instance: Instance, inbound: bool, outbound: bool, clients: bool = True) -> None:
    """Drop and count the frames that cross the bridge to or from an instance; without `clients`, not the host's own."""
    ways = [("ip daddr", "ip saddr")] * inbound + [("ip saddr", "ip daddr")] * outbound
    rules = [
        f"{mine} {instance.address}" + ("" if clients else f" {theirs} != {host(layout)}") for mine, theirs in ways
    ]
    lines = [f'add rule {TABLE} cut {rule} counter drop comment "{instance.name}"' for rule in rules]
    _nft(fabric_name(layout), "\n".join(lines))


def mend(layout: Layout, instance: Instance) -> None:
    """Remove every rule that `cut` laid for an instance."""
    fabric = fabric_name(layout)
    for rule in _rules(fabric, instance):
        _nft(fabric, f"delete rule {TABLE} cut handle {rule['handle']}")


def dropped(layout: Layout, instance: Instance) -> int | None:
    """Packets dropped by `cut` so far; None while nothing is cut."""
    rules = _rules(fabric_name(layout), instance)
    counters = [part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part]
    return sum(counters) if rules else None


def _rules(fabric: str, instance: Instance) -> list[dict]:
    listing = json.loads(_inside(fabric, ["nft", "-j", "list", "chain", *TABLE.split(), "cut"]).stdout)
    rules = [entry["rule"] for entry in listing["nftables"] if "rule" in entry]
    return [rule for rule in rules if rule.get("comment") == instance.name]


def _nft(fabric: str, script: str) -> None:
    _inside(fabric, ["nft", "-f", "-"], script)


def _batch(commands: list[str], node: str | None = None) -> None:
    where = ["-netns", node] if node else []
    _ip(*where, "-batch", "-", stdin="\n".join(commands))


def _ip(*arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    return _run(["ip", *arguments], stdin, check)


def _inside(node: str, command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return _run([*_entering(node), *command], stdin, True)


def _run(command: list[str], stdin: str, check: bool) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise PlatformError(f"{' '.join(command[:4])} failed: {' '.join(done.stderr.split())}")
    return done
