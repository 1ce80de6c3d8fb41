"""Cuts a pod or a node off from all others: a table of nft in its own network namespace."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import psutil

from chaosblink.targets import PlatformError

TABLE = "inet chaosblink"


def own_addresses() -> list[str]:
    """The addresses of where this process runs.

    An agent's are its node's: the kubelet probes its pods from there, as it would do on a node that is cut off.
    """
    own = [
        a.address.split("%")[0] for each in psutil.net_if_addrs().values() for a in each if a.family.name != "AF_PACKET"
    ]
    return sorted(set(own))


class Partition:
    """The cuts of one node's pods; a pod is named by any of its processes. PlatformError when nft refuses."""

    def __init__(self, spared: Callable[[], list[str]] = own_addresses) -> None:
        self._spared = spared

    def cut(self, pid: int, inbound: bool, outbound: bool, also_spared: list[str] | None = None) -> None:
        """Drop and count every packet to or from the pod, but those of its own loopback, its node and those named."""
        spared = sorted({*self._spared(), *(also_spared or [])})
        lines = []
        if inbound:
            lines += _chain("in", "input", "iif", "saddr", spared)
        if outbound:
            lines += _chain("out", "output", "oif", "daddr", spared)
        _replace_table(pid, lines)

    def mend(self, pid: int) -> None:
        """Let everything through again; no error when nothing was cut."""
        if self.dropped(pid) is not None:
            _nft(pid, ["delete", "table", *TABLE.split()])

    def dropped(self, pid: int) -> int | None:
        """Packets dropped so far; None while nothing is cut."""
        try:
            said = json.loads(_nft(pid, ["-j", "list", "table", *TABLE.split()]))["nftables"]
        except _NoTable:
            return None
        rules = [each["rule"] for each in said if "rule" in each]
        counters = [part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part]
        return sum(counters) if counters else None


class Uplink(Partition):
    """The cuts of whole nodes: what passes the node's own interface, its pods' packets to other nodes included."""

    INTERFACE = "eth0"
    """The one interface of a kind node that leads out of it."""

    def cut(self, pid: int, inbound: bool, outbound: bool, also_spared: list[str] | None = None) -> None:
        """Drop and count every packet that comes into the node or leaves it; pods on it still reach each other."""
        if also_spared:
            raise PlatformError("a node that is cut off is cut off from everybody")
        lines = []
        for chosen, hook, way in ((inbound, "prerouting", "iifname"), (outbound, "postrouting", "oifname")):
            if chosen:
                lines.append(f"add chain {TABLE} {hook} {{ type filter hook {hook} priority -300; policy accept; }}")
                lines.append(f'add rule {TABLE} {hook} {way} "{self.INTERFACE}" counter drop')
        _replace_table(pid, lines)


class _NoTable(PlatformError):
    """Nothing is cut."""


def _replace_table(pid: int, lines: list[str]) -> None:
    """Put these chains and rules in place of whatever the table held, in one step."""
    anew = [f"add table {TABLE}", f"delete table {TABLE}", f"add table {TABLE}"]
    _nft(pid, ["-f", "-"], "\n".join([*anew, *lines]))


def _chain(name: str, hook: str, interface: str, address: str, spared: list[str]) -> list[str]:
    chain = f"{TABLE} {name}"
    lines = [f"add chain {chain} {{ type filter hook {hook} priority -300; policy accept; }}"]
    lines.append(f"add rule {chain} {interface} lo accept")
    for family in ("ip", "ip6"):
        own = [one for one in spared if (":" in one) == (family == "ip6")]
        if own:
            lines.append(f"add rule {chain} {family} {address} {{ {', '.join(own)} }} accept")
    return [*lines, f"add rule {chain} counter drop"]


def _nft(pid: int, arguments: list[str], script: str = "") -> str:
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", "nft", *arguments]
    try:
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PlatformError(f"{error.filename} is not installed here") from None
    if "list" in arguments and "No such file or directory" in done.stderr:
        raise _NoTable("there is no table")
    if done.returncode:
        raise PlatformError(f"nft refused: {' '.join(done.stderr.split())[:300]}")
    return done.stdout
