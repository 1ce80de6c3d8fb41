"""The container engine of a kind cluster's host, by its command line: Docker, or podman with our store."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.kind import kept

CLUSTER_LABEL, ROLE_LABEL = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"
CONTROL_PLANE = "control-plane"
ANSWER_S = 60.0
"""Starting a node takes the longest: some seconds on a busy machine."""


@dataclass(frozen=True, slots=True)
class Container:
    """A node as the engine tells it now; `pid` is 0 and `address` empty while it does not run."""

    name: str
    id: str
    role: str
    status: str
    pid: int
    started: float
    network: str
    address: str
    gateway: str

    @property
    def runs(self) -> bool:
        """Whether its processes are there, frozen ones too."""
        return self.pid > 0 and self.status in ("running", "paused")


class Engine:
    """The nodes of one kind cluster. PlatformError when the engine is not there, or will not."""

    def __init__(self, cluster: str, program: str, environment: Mapping[str, str]) -> None:
        self.cluster, self.program = cluster, program
        self._environment = {**os.environ, **environment}

    def nodes(self) -> list[Container]:
        """Every node of the cluster, also those that do not run, in order of name."""
        chosen = self._say("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={CLUSTER_LABEL}={self.cluster}")
        if not chosen.split():
            return []
        found = json.loads(self._say("inspect", "--type", "container", *chosen.split()))
        return sorted((_container(one) for one in found), key=lambda node: node.name)

    def gateway(self) -> str:
        """The host's address on the network of the nodes; empty while none of them runs."""
        return next((node.gateway for node in self.nodes() if node.gateway), "")

    def kill(self, name: str) -> None:
        """End every process of a node at once."""
        self._say("kill", "--signal", "KILL", name)

    def pause(self, name: str) -> None:
        """Freeze every process of a node."""
        self._say("pause", name)

    def unpause(self, name: str) -> None:
        """Let them go on."""
        self._say("unpause", name)

    def start(self, name: str, network: str, address: str) -> None:
        """Start a node again at the address it had: with another one its pods are out of reach while it says Ready.

        Podman gives whatever is free to a container that starts. Docker takes no wish on a network without a subnet of
        the user's own, which kind's is not; its first free address is the old one while no other container came.
        """
        if self.program == "podman":
            self._say("network", "disconnect", network, name)
            self._say("network", "connect", "--ip", address, network, name)
        self._say("start", name)

    def _say(self, *arguments: str) -> str:
        command = [self.program, *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=ANSWER_S, env=self._environment
            )
        except FileNotFoundError:
            raise PlatformError(f"{self.program} is not installed here") from None
        except subprocess.TimeoutExpired:
            raise PlatformError(f"{self.program} {arguments[0]} did not end within {ANSWER_S:g} s") from None
        if done.returncode:
            raise PlatformError(f"{self.program} {arguments[0]} refused: {' '.join(done.stderr.split())[:300]}")
        return done.stdout


def of_cluster(cluster: str) -> Engine:
    """The engine whose containers are the nodes of a kind cluster; PlatformError when none here has them."""
    cache = kept()
    if (cache / "nodes" / cluster).is_dir():
        files = {"CONTAINERS_CONF": cache / "containers.conf", "CONTAINERS_STORAGE_CONF": cache / "storage.conf"}
        engines = [Engine(cluster, "podman", {name: str(file) for name, file in files.items()})]
    else:
        engines = [Engine(cluster, program, {}) for program in ("docker", "podman")]
    refused = []
    for engine in engines:
        try:
            if engine.nodes():
                return engine
        except PlatformError as error:
            refused.append(str(error))
    why = f" ({'; '.join(refused)})" if refused else ""
    raise PlatformError(f"no container engine of this machine has nodes of the kind cluster {cluster}{why}")


def _container(told: dict[str, Any]) -> Container:
    labels, state = told["Config"]["Labels"], told["State"]
    networks: dict[str, dict[str, Any]] = told["NetworkSettings"]["Networks"]
    network = next(iter(networks), "")
    settings = networks.get(network, {})
    return Container(
        name=told["Name"].removeprefix("/"),
        id=told["Id"],
        role=labels.get(ROLE_LABEL, ""),
        status=state["Status"],
        pid=int(state["Pid"]),
        started=datetime.datetime.fromisoformat(state["StartedAt"]).timestamp(),
        network=network,
        address=settings.get("IPAddress") or "",
        gateway=settings.get("Gateway") or "",
    )
