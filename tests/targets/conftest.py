"""What the tests of targets share: pods made of real processes whose cgroups are files, and their agent over mTLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaosblink.agent import certificates
from chaosblink.agent.cgroups import Cgroups
from chaosblink.agent.client import Agent, Credentials
from chaosblink.agent.node import Node
from chaosblink.agent.partition import Partition, Uplink
from chaosblink.agent.permission import Permission, RunsToken
from chaosblink.agent.server import application, serve
from chaosblink.agent.token import digest
from chaosblink.agent.verbs import Guardian, Verbs
from chaosblink.node_driver.nodes import Admission, Nodes
from chaosblink.targets import PlatformError
from chaosblink.targets.local.secret_files import write_private
from chaosblink.waiting import until
from tests.targets.fake_engine import FakeEngine

NODE, TOKEN = "worker2", "the-run's-token"
TREE = ["sh", "-c", "sleep 600 & sleep 600 & wait"]


def _hexadecimal() -> str:
    return uuid.uuid4().hex * 2


@dataclass
class FakePods:
    """The API as an agent sees it, and the processes behind it; each box (container) is one process tree."""

    proc: Path
    labelled: bool = True
    away: bool = False
    digest: str = digest(TOKEN)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    boxes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, name: str, component: str = "postgresql") -> dict[str, str]:
        """A pod with a sandbox, a server and a box beside it; returns what agents are asked with."""
        uid = str(uuid.uuid4())
        boxes = {component: _hexadecimal(), "vault-agent": _hexadecimal()}
        statuses = [{"name": box, "containerID": f"containerd://{number}"} for box, number in boxes.items()]
        self.pods[name] = {
            "metadata": {"uid": uid, "labels": {"app.kubernetes.io/component": component}},
            "spec": {"nodeName": NODE},
            "status": {"containerStatuses": statuses},
        }
        self.run(uid, _hexadecimal(), ["sleep", "600"], comm="pause")
        for number in boxes.values():
            self.run(uid, number, TREE)
        return {"namespace": "database", "name": name, "uid": uid}

    def run(self, uid: str, number: str, command: list[str], comm: str = "sh") -> int:
        """Start a process tree in a container of a pod."""
        main = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        self.boxes.append(main)
        tree = psutil.Process(main.pid)
        if command is TREE:
            until(lambda: len(tree.children()) == 2, 5, "the tree stands", every=0.01)
        for process in (tree, *tree.children()):
            place = self.proc / str(process.pid)
            place.mkdir()
            group = f"kubelet-kubepods-burstable-pod{uid.replace('-', '_')}.slice/cri-containerd-{number}.scope"
            (place / "cgroup").write_text(f"0::/kubelet.slice/{group}\n")
            (place / "comm").write_text(f"{comm}\n")
        return main.pid

    def server(self, name: str) -> str:
        """Id of the server's container."""
        status: str = self.pods[name]["status"]["containerStatuses"][0]["containerID"]
        return status.rsplit("/", 1)[-1]

    def labels(self, namespace: str) -> dict[str, str]:
        if self.away:
            raise PlatformError("the API is away")
        assert namespace == "database"
        return {"chaosblink.io/chaos": "allowed"} if self.labelled else {}

    def pod(self, namespace: str, name: str) -> dict[str, Any]:  # noqa: ARG002
        if self.away or name not in self.pods:
            raise PlatformError(f"no pod {name}")
        return self.pods[name]

    def token_digest(self) -> str:
        if self.away:
            raise PlatformError("the API is away")
        return self.digest

    def end(self) -> None:
        for box in self.boxes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(box.pid, signal.SIGKILL)
            box.wait()


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[FakePods]:
    (tmp_path / "proc").mkdir()
    made = FakePods(tmp_path / "proc")
    yield made
    made.end()


@dataclass
class RunningAgent:
    """An agent that serves on loopback; `restart` is a new life of it with the same journal."""

    pods: FakePods
    home: Path
    port: int = 0

    def __post_init__(self) -> None:
        agents, runs = certificates.issue()
        for name, files in (("agent", agents), ("run", runs)):
            (self.home / name).mkdir()
            for file, content in files.items():
                write_private(self.home / name / file, content)
        write_private(self.home / "token", TOKEN.encode())
        self.credentials = Credentials(self.home / "run", self.home / "token")
        self.start()

    def build(self) -> None:
        """What it is made of in each life."""
        self.node: Any = Node(NODE, self.home / "state", Cgroups(self.pods.proc), Partition())
        self.permission: Any = Permission(self.pods, NODE)
        self.verbs = Verbs(self.node, self.permission.pod)

    def start(self) -> None:
        self.build()
        self.guardian = Guardian(self.node)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._loop, self._stop = asyncio.new_event_loop(), asyncio.Event()
        app = application(self.verbs, self.guardian, self.permission.holds)
        serving = serve(app, self.guardian, self.home / "agent", "127.0.0.1", self.port, self._stop)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serving,))
        self._thread.start()
        until(self._listens, 10, "the agent listens", every=0.02)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    def client(self, credentials: Credentials | None = None) -> Agent:
        return Agent(NODE, "127.0.0.1", credentials or self.credentials, self.port)

    def _listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0


class RunningDriver(RunningAgent):
    """The driver of node faults, which is an agent of another kind; its detached reverters are noted, not started."""

    def build(self) -> None:
        self.node = Nodes(self.engine, self.home / "state", Uplink())  # type: ignore[arg-type]
        self.permission = RunsToken(self.pods.token_digest)
        self.armed: list[Path] = []
        self.verbs = Verbs(self.node, Admission(self.node, frozenset({"suite"})).machine, self.armed.append)

    def __post_init__(self) -> None:
        self.engine = FakeEngine()
        super().__post_init__()


@pytest.fixture
def driver(pods: FakePods, tmp_path: Path) -> Iterator[RunningDriver]:
    made = RunningDriver(pods, tmp_path)
    yield made
    made.stop()
    made.engine.end()


@pytest.fixture
def agent(pods: FakePods, tmp_path: Path) -> Iterator[RunningAgent]:
    made = RunningAgent(pods, tmp_path)
    yield made
    made.stop()
