"""What the observer process is told: whom to ask, how often, and where each instance's processes are found."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaosblink.targets import Instance, name_at


@dataclass(frozen=True, slots=True)
class Processes:
    """Where the processes of an instance are found; give one of the two, neither means no CPU samples.

    `netns`: a mounted network namespace (`/run/netns/<name>`): every process in it belongs to the instance.
    `directory`: every process that works there or below belongs to the instance (where there are no namespaces).
    """

    netns: str = ""
    directory: str = ""


@dataclass(frozen=True, slots=True)
class AgentCpu:
    """Which agents are asked for the CPU of which pods: files for the agents' TLS and token, addresses by node."""

    tls: str
    token_file: str
    addresses: dict[str, str]
    pods: dict[str, list[dict[str, str]]]
    """By node; each as agents know it (namespace, name, uid)."""
    components: dict[str, str]
    """Component by name of the pod."""


@dataclass(frozen=True, slots=True)
class ObserverSpec:
    """All of one observer process; it appends to `timeline.jsonl` in `folder` (the round's).

    Instances of the components in `focus` are asked `focus_hz` times a second, all others `others_hz` times.
    PostgreSQL is asked as `postgresql_user`; a missing password file leaves its component unobserved.
    """

    folder: str
    focus: list[str]
    instances: list[Instance]
    processes: dict[str, Processes] = field(default_factory=dict)
    ca_file: str = ""
    redis_password_file: str = ""
    sentinel_password_file: str = ""
    postgresql_password_file: str = ""
    postgresql_user: str = "chaos"
    postgresql_database: str = "chaos"
    focus_hz: float = 20.0
    others_hz: float = 2.0
    cpu_hz: float = 4.0
    book: str = ""
    """File with the present instances (see chaosblink/workloads/following.py); empty where they never move."""
    agents: AgentCpu | None = None
    """Where processes are on other machines."""
    patience_ms: float = 500.0
    """An instance that has not answered by then is written down as role "" (no answer)."""

    def name_of(self, address: str, components: tuple[str, ...]) -> str:
        """The instance among some components that is at this address or host name; the address itself when none is."""
        return name_at((i for i in self.instances if i.component in components), address)

    def write(self, path: Path) -> Path:
        """Write as JSON (it holds no secrets, only names of their files)."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        return path


def read_observer_spec(path: Path) -> ObserverSpec:
    """A spec from its JSON file; TypeError or KeyError names a field that is unknown or missing."""
    given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    given["instances"] = [Instance(**item) for item in given["instances"]]
    given["processes"] = {name: Processes(**item) for name, item in given.get("processes", {}).items()}
    if given.get("agents"):
        given["agents"] = AgentCpu(**given["agents"])
    return ObserverSpec(**given)
