"""A local platform that is up, seen through the Target interface."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import psutil

from chaosblink.targets import DEFAULT_NAME, WHOLE_NODE, Instance, Lifetime, PlatformError
from chaosblink.targets.local import names, network
from chaosblink.targets.local.environment import environment
from chaosblink.targets.local.layout import Layout
from chaosblink.targets.local.supervisor import Supervisor
from chaosblink.waiting import until

STOPS_WITHIN = 30.0
"""Seconds: supervisord itself waits 10 s and then kills; a program it is about to restart takes one more turn."""


def state_root() -> Path:
    """Directory that holds every local platform's state.

    Root's is outside any home directory, since the servers' system users must reach it.
    """
    if "CHAOSBLINK_STATE" in os.environ:
        return Path(os.environ["CHAOSBLINK_STATE"]).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/chaosblink")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "chaosblink"


def state_of(name: str) -> Path:
    """Directory of one platform's state."""
    return state_root() / name


def write_record(state: Path, layout: Layout, phase: str) -> None:
    """Note what the platform is, so that any later command finds it; `phase` is `coming up` or `up`."""
    record = {
        "name": layout.name,
        "prefix": layout.prefix,
        "namespaces": layout.namespaces,
        "values": layout.values,
        "phase": phase,
    }
    part = state / "platform.json.part"
    part.write_text(json.dumps(record, indent=1))
    part.replace(state / "platform.json")


def read_record(name: str) -> tuple[Layout, str]:
    """Layout and phase of a platform; PlatformError when there is none of this name."""
    path = state_of(name) / "platform.json"
    if not path.exists():
        raise PlatformError(f"no platform {name!r} here: bring one up with `chaosblink up --name {name}`")
    record = json.loads(path.read_text())
    return Layout(record["name"], record["values"], record["prefix"], record["namespaces"]), record["phase"]


class LocalTarget:
    """Target interface over supervised processes; see `chaosblink.targets.Target` for the methods."""

    kind = "local"

    def __init__(self, name: str) -> None:
        self.layout, self.phase = read_record(name)
        self.name = name
        self.state = state_of(name)
        self.supervisor = Supervisor(self.state)

    @property
    def options(self) -> str:
        """What a command line says to mean this platform."""
        return "" if self.name == DEFAULT_NAME else f"--name {self.name}"

    @property
    def settings(self) -> dict[str, Any]:
        """The values the platform was brought up with."""
        return self.layout.values

    @property
    def ca_file(self) -> Path:
        """PEM file of the platform's CA."""
        return self.state / "ca.crt"

    def instances(self, component: str | None = None) -> list[Instance]:
        """All instances, or those of one component, in order of name."""
        return self.layout.instances(component)

    def lifetime(self, instance: Instance) -> Lifetime | None:
        """The current life, None while the instance is down."""
        pid = self.supervisor.pid(instance.name)
        try:
            return Lifetime(pid, psutil.Process(pid).create_time()) if pid else None
        except psutil.NoSuchProcess:
            return None

    def processes(self, instance: Instance) -> list[int]:
        """Pids of every process of the instance, main process first; empty while it is down."""
        main = self.supervisor.pid(instance.name)
        found = sorted(processes_of(self.layout, self.state, [instance]))
        return sorted(found, key=lambda pid: pid != main)

    def whereabouts(self, instance: Instance) -> dict[str, str]:
        """The instance's namespace, or its directory where there are no namespaces."""
        if self.layout.namespaces:
            return {"netns": f"/run/netns/{instance.node}"}
        return {"directory": f"{self.state}/instances/{instance.name}"}

    def stop(self, instance: Instance) -> None:
        """Take the instance down and keep it down until `start`.

        One that has just died is asked again: supervisord calls it stopped only once it has restarted and stopped it.
        """

        def stopped() -> bool:
            self.supervisor.stop(instance.name)
            return self.supervisor.statename(instance.name) in ("STOPPED", "FATAL")

        until(stopped, within=STOPS_WITHIN, what=f"{instance.name} is stopped", every=0.05)

    def start(self, instance: Instance) -> None:
        """Let the supervisor run the instance; no error when it already runs."""
        self.supervisor.start(instance.name)

    def endpoint(self, name: str) -> tuple[str, int]:
        """Address and port of `identity`, `vault`, `postgresql` or `redis-master`: all behind the edge."""
        edge = self.layout.edges[0]
        ports = {"identity": edge.port, "vault": edge.port, "postgresql": 5432, "redis-master": 6379}
        if name not in ports:
            raise PlatformError(f"no endpoint {name!r}; there are {', '.join(ports)}")
        return edge.address, ports[name]

    def secret(self, name: str) -> str:
        """A secret of the platform by its file name."""
        return self.secret_file(name).read_text().strip()

    def secret_file(self, name: str) -> Path:
        """The file (mode 0600) that holds the secret."""
        path = self.state / "secrets" / name
        if not path.exists():
            raise PlatformError(f"platform {self.name!r} has no secret {name!r}")
        return path

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep every other run off the platform meanwhile (a file lock, which dies with its process)."""
        lock = filelock.FileLock(self.state / "lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise PlatformError(f"another run holds platform {self.name!r}; wait for it to end") from None
        try:
            yield
        finally:
            lock.release()

    def log_end(self, instance: Instance) -> float:
        """How many characters it has logged."""
        return len(self.log(instance))

    def log(self, instance: Instance, after: float = 0) -> str:
        """What it has logged behind the first `after` characters; what the supervisor rotated away comes first."""
        base = self.state / "logs" / f"{instance.name}.log"
        parts = [path for path in (base.with_name(base.name + ".1"), base) if path.exists()]
        return "".join(path.read_text(errors="replace") for path in parts)[int(after) :]

    def inside(self, instance: Instance, command: list[str]) -> tuple[list[str], dict[str, str]]:
        """Command line and environment that run `command` where the instance runs, as `kubectl exec` would.

        Vault's program finds its server there (VAULT_ADDR, BAO_ADDR and the CA).
        """
        variables = environment(self.layout, self.state, instance)
        if instance.component == "vault":
            for prefix in ("VAULT", "BAO"):
                variables |= {
                    f"{prefix}_ADDR": f"https://{instance.address}:8200",
                    f"{prefix}_CACERT": str(self.ca_file),
                }
        return [*names.enter(self.layout, self.state, instance), *command], variables

    def isolate(self, instance: Instance, inbound: bool = True, outbound: bool = True, clients: bool = True) -> None:
        """Drop the packets between the instance and all others; those of the run's own clients only with `clients`."""
        if refusal := self.cannot("isolate"):
            raise PlatformError(refusal)
        network.cut(self.layout, instance, inbound, outbound, clients)

    def rejoin(self, instance: Instance) -> None:
        """Undo `isolate`; no error when nothing is dropped."""
        if self.layout.namespaces:
            network.mend(self.layout, instance)

    def dropped(self, instance: Instance) -> int | None:
        """Packets `isolate` has dropped so far; None while the instance is not isolated."""
        return network.dropped(self.layout, instance) if self.layout.namespaces else None

    def cannot(self, fault: str) -> str:
        """Why the platform does not allow a fault, empty when it does: loopback addresses cannot be partitioned."""
        if fault.startswith(WHOLE_NODE):
            return "a local platform has a node for each server; whole nodes are a kind cluster's"
        if fault == "isolate" and not self.layout.namespaces:
            return "this platform runs on loopback addresses and cannot be partitioned; run it as root"
        return ""


def processes_of(layout: Layout, state: Path, instances: list[Instance]) -> set[int]:
    """Pids that belong to some instances: those in their namespaces, or those that work below their directories.

    Every server works below its instance's directory, so this also finds children that outlived their parent.
    """
    if layout.namespaces:
        wanted = {network.inode(instance.node) for instance in instances} - {0}
        return {pid for pid in psutil.pids() if _namespace(pid) in wanted}
    homes = tuple(f"{state}/instances/{instance.name}/" for instance in instances)
    return {pid for pid in psutil.pids() if f"{_directory(pid)}/".startswith(homes)}


def _namespace(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return 0


def _directory(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""
