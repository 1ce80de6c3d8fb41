"""A container engine whose nodes are processes of this machine: what it is told is noted, what it is asked is true."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

import psutil

from chaosblink.node_driver.engine import Container

HOME = {"cp": "198.19.0.3", "worker": "198.19.0.5", "suite": "198.19.0.2"}


@dataclass
class FakeEngine:
    """Three nodes, `suite` among them; `elsewhere` is the address a node that starts without a wish gets."""

    cluster: str = "try"
    program: str = "podman"
    told: list[str] = field(default_factory=list)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    address: dict[str, str] = field(default_factory=lambda: dict(HOME))
    broken: bool = False

    def __post_init__(self) -> None:
        for name in HOME:
            self._run(name)

    def nodes(self) -> list[Container]:
        return [self._container(name) for name in sorted(self.processes)]

    def kill(self, name: str) -> None:
        self.told.append(f"kill {name}")
        if not self.broken:
            self.processes[name].kill()
            self.processes[name].wait()

    def pause(self, name: str) -> None:
        self.told.append(f"pause {name}")
        psutil.Process(self.processes[name].pid).suspend()

    def unpause(self, name: str) -> None:
        self.told.append(f"unpause {name}")
        psutil.Process(self.processes[name].pid).resume()

    def start(self, name: str, network: str, address: str) -> None:
        self.told.append(f"start {name} {network} {address}")
        self.address[name] = address
        self._run(name)

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _run(self, name: str) -> None:
        self.processes[name] = subprocess.Popen(["sleep", "600"], start_new_session=True)

    def _container(self, name: str) -> Container:
        process = self.processes[name]
        runs = process.poll() is None
        status = "exited"
        if runs:
            frozen = psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
            status = "paused" if frozen else "running"
        role = "control-plane" if name == "cp" else "worker"
        pid, address = (process.pid, self.address[name]) if runs else (0, "")
        return Container(name, f"id-of-{name}", role, status, pid, 1.0, "net", address, "198.19.0.1")
