"""Where a platform runs: the one interface through which everything else sees its instances."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class PlatformError(Exception):
    """The platform cannot be used as asked; the message is one line and says the next step. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One server of a component; `node` is the network namespace or Kubernetes node it sits on."""

    name: str
    component: str
    ordinal: int
    address: str
    port: int
    node: str

    def is_at(self, host: str) -> bool:
        """Whether `host` means this instance: its address, its name, or a DNS name that begins with its name."""
        return host == self.address or host.split(".")[0] == self.name


def name_at(instances: Iterable[Instance], host: str) -> str:
    """The instance among these that `host` means (see `Instance.is_at`); the host itself when it is none of them."""
    return next((instance.name for instance in instances if instance.is_at(host)), host)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What tells one life of an instance from the next: its main process and its start, in a cluster also `id`.

    `pid` is 0 where the process runs on another machine; `started` is in seconds since 1970; `id` is pod UID and
    container id, empty where there are no pods.
    """

    pid: int
    started: float
    id: str = ""


class Target(Protocol):
    """A platform that is up. Every method raises PlatformError when the target itself cannot answer."""

    kind: str
    """`local`, `kubernetes`, `node` (an agent's view of its node) or `nodes` (a kind cluster's, from their host)."""
    name: str
    state: Path
    """Directory of this platform's state; faults are journaled in `state / "faults"`."""

    @property
    def options(self) -> str:
        """What a `chaosblink` command line says to mean this platform; empty for the default one."""

    @property
    def settings(self) -> dict[str, Any]:
        """The live values the platform was brought up with (`platform/chart/values.yaml` and overrides), nested."""

    def instances(self, component: str | None = None) -> list[Instance]:
        """All instances, or those of one component, in order of name."""

    def lifetime(self, instance: Instance) -> Lifetime | None:
        """The current life, None while the instance is down."""

    def processes(self, instance: Instance) -> list[int]:
        """Pids of every process of the instance, main process first; empty while it is down."""

    def whereabouts(self, instance: Instance) -> dict[str, str]:
        """What the instance's processes on this machine have in common: `netns` or `directory` and a path.

        Empty where they run on another machine.
        """

    def stop(self, instance: Instance) -> None:
        """Take the instance down and keep it down until `start`."""

    def start(self, instance: Instance) -> None:
        """Let the supervisor run the instance; no error when it already runs."""

    def endpoint(self, name: str) -> tuple[str, int]:
        """Address and port through which clients reach `identity`, `vault`, `postgresql` or `redis-master`."""

    def secret(self, name: str) -> str:
        """A secret of the platform by its file name (`chaos-password`); never log it."""

    def secret_file(self, name: str) -> Path:
        """The file (mode 0600) that holds the secret, to hand to another process."""

    @property
    def ca_file(self) -> Path:
        """PEM file of the CA that signed the edge's and Vault's certificates."""

    def hold(self) -> AbstractContextManager[None]:
        """Keep every other run off the platform meanwhile; PlatformError when another one holds it."""

    def log(self, instance: Instance, after: float = 0) -> str:
        """What the instance has logged since the moment `log_end` was asked; everything without one."""

    def log_end(self, instance: Instance) -> float:
        """The present end of the instance's log, for `log`; what the number means is the target's own matter."""

    def isolate(self, instance: Instance, inbound: bool = True, outbound: bool = True, clients: bool = True) -> None:
        """Drop the packets between the instance and all others; PlatformError where the target cannot partition.

        With `clients` false the run's own clients still reach it: they are then on its side of the partition.
        """

    def cannot(self, fault: str) -> str:
        """Why this platform does not allow a fault (the capability that is missing), empty when it does."""

    def rejoin(self, instance: Instance) -> None:
        """Undo `isolate`; no error when nothing is dropped."""

    def dropped(self, instance: Instance) -> int | None:
        """Packets `isolate` has dropped so far; None while the instance is not isolated."""


WHOLE_NODE = "node-"
"""What the names of those faults begin with that take a node with all its instances."""
DEFAULT_NAME = "blinkchamber"
TARGET = "CHAOSBLINK_TARGET"
"""Environment: `local` (default), `kind` or `kubernetes`; `nodes` is the node driver's own."""
CONTEXT = "CHAOSBLINK_CONTEXT"
"""Environment: the kubeconfig's context, which names a cluster; inside a cluster it is named by its UID instead."""


def entrance(target: Target, name: str) -> tuple[str, int]:
    """All addresses of `endpoint(name)`, separated by commas as in libpq's `host`, and the port.

    Locally one an edge instance, and a client tries the next where one refuses, as it would with a name of several A
    records; on Kubernetes the edge's Service is one address that leads to whoever is ready.
    """
    address, port = target.endpoint(name)
    if target.kind != "local":
        return address, port
    return ",".join(edge.address for edge in target.instances("edge")), port


def open_target(name: str | None = None) -> Target:
    """The platform that is up under `name` (default: CHAOSBLINK_PLATFORM, else `blinkchamber`) where TARGET says.

    Raises PlatformError when there is none, when it never came up whole, when its supervisor is dead, and when a
    cluster was not named, cannot be reached or does not allow chaos.
    """
    from chaosblink.targets.local.target import LocalTarget

    chosen = name or os.environ.get("CHAOSBLINK_PLATFORM") or DEFAULT_NAME
    if os.environ.get(TARGET) == "nodes":
        from chaosblink.node_driver.nodes import open_nodes

        return open_nodes(chosen)
    if os.environ.get(TARGET, "local") != "local":
        from chaosblink.targets.kubernetes.opening import open_cluster

        return open_cluster(chosen)
    target = LocalTarget(chosen)
    if target.phase != "up" or not target.supervisor.alive():
        raise PlatformError(
            f"platform {chosen!r} is half dead: remove what is left with `chaosblink down --name {chosen}`"
        )
    return target
