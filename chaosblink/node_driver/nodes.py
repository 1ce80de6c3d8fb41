"""The nodes of a kind cluster as a target of faults: each is an instance, its container's processes this machine's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock
import psutil

from chaosblink.agent.foreign import NoPlatform
from chaosblink.agent.partition import Partition, Uplink
from chaosblink.faults import journal, processes
from chaosblink.faults.effect import FaultError
from chaosblink.node_driver.engine import CONTROL_PLANE, Container, Engine, of_cluster
from chaosblink.targets import Instance, Lifetime, PlatformError
from chaosblink.targets.local.target import state_root


@dataclass(frozen=True, slots=True)
class Machine:
    """A node that may be broken; it goes into the victims' `place`: who starts it again needs its old address."""

    name: str
    uid: str
    role: str
    network: str
    address: str

    def place(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def machine_of(place: dict[str, Any]) -> Machine:
    """A node from its JSON; KeyError names what is missing."""
    return Machine(place["name"], place["uid"], place["role"], place["network"], place["address"])


class Nodes(NoPlatform):
    """Target interface (see `chaosblink.targets.Target`) over the nodes that were made known to it."""

    kind = "nodes"

    def __init__(self, engine: Engine, state: Path, uplink: Partition) -> None:
        self.name, self.state, self.engine = engine.cluster, state, engine
        self._uplink = uplink
        self.run_addresses: list[str] = []  # nobody asks for them to be spared: see `isolate`
        self._machines: dict[str, Machine] = {}
        for place in journal.open_faults(self):
            for victim in journal.load(place).victims:
                self.know(machine_of(victim.place))

    def know(self, machine: Machine) -> Instance:
        """From now on the node is one of the instances."""
        self._machines[machine.name] = machine
        return self._instance(machine)

    def machine(self, instance: Instance) -> Machine:
        """The node of an instance; PlatformError when it is not known."""
        if instance.name not in self._machines:
            raise PlatformError(f"the driver of {self.name} does not know {instance.name}")
        return self._machines[instance.name]

    def container(self, instance: Instance) -> Container:
        """What the engine says of a node now; PlatformError when it has none of that name and id."""
        machine = self.machine(instance)
        for found in self.engine.nodes():
            if (found.name, found.id) == (machine.name, machine.uid):
                return found
        raise PlatformError(f"{self.engine.program} has no node {machine.name} of cluster {self.name} any more")

    def instances(self, component: str | None = None) -> list[Instance]:
        """The nodes made known so far, in order of name."""
        return [self._instance(machine) for _, machine in sorted(self._machines.items()) if component in (None, "node")]

    def lifetime(self, instance: Instance) -> Lifetime | None:
        """The node's first process; None while it is down."""
        found = self.container(instance)
        return Lifetime(found.pid, found.started, found.id) if found.runs else None

    def processes(self, instance: Instance) -> list[int]:
        """The node's processes, its first one first; all others come from that one, and end with it."""
        found = self.container(instance)
        if not found.runs:
            return []
        try:
            return [found.pid, *(each.pid for each in psutil.Process(found.pid).children(recursive=True))]
        except psutil.NoSuchProcess:  # it ended meanwhile
            return []

    def isolate(self, instance: Instance, inbound: bool = True, outbound: bool = True, clients: bool = True) -> None:
        """Drop what enters and leaves the node; PlatformError with `clients` false."""
        if not clients:
            raise PlatformError("a node that is cut off is cut off from the run's clients too")
        self._uplink.cut(self._pid(instance), inbound, outbound)

    def rejoin(self, instance: Instance) -> None:
        """Undo `isolate`; no error when the node, and its network with it, is down."""
        if (found := self.container(instance)).runs:
            self._uplink.mend(found.pid)

    def dropped(self, instance: Instance) -> int | None:
        """Packets `isolate` has dropped so far; None while nothing is cut, or the node is down."""
        found = self.container(instance)
        return self._uplink.dropped(found.pid) if found.runs else None

    def cannot(self, fault: str) -> str:
        """Nodes are killed, paused and cut off."""
        return "a node is not shut down in order" if fault == "stop" else ""

    def start(self, instance: Instance) -> None:
        """Start the node at its old address; no error when it runs."""
        machine = self.machine(instance)
        if not self.container(instance).runs:
            self.engine.start(machine.name, machine.network, machine.address)

    def stop(self, instance: Instance) -> None:
        """PlatformError: a node is killed, or not."""
        raise PlatformError(f"{instance.name} is not shut down in order")

    def strangers(self, instance: Instance, ticks: dict[int, int]) -> list[int]:
        """Of some processes (pid to start tick) those that live and are not the node's."""
        own = self.processes(instance)
        return [pid for pid, tick in ticks.items() if pid not in own and processes.started(pid) == tick]

    def usage(self, machines: list[Machine]) -> dict[str, tuple[float, int]]:
        """PlatformError: agents know that of pods, and nobody asks it of nodes."""
        raise PlatformError(f"no CPU is told of {', '.join(machine.name for machine in machines)}")

    def _pid(self, instance: Instance) -> int:
        found = self.container(instance)
        if not found.runs:
            raise PlatformError(f"{instance.name} is already down")
        return found.pid

    def _instance(self, machine: Machine) -> Instance:
        return Instance(machine.name, "node", 0, machine.address, 0, machine.name)


class Admission:
    """Which nodes may be broken: those of the cluster that was named, but never the suite's own."""

    def __init__(self, nodes: Nodes, kept: frozenset[str]) -> None:
        """`kept` are names of the nodes that carry the suite."""
        self._nodes, self._kept = nodes, kept

    def machine(self, asked: dict[str, Any]) -> Machine:
        """The node called `name` (with `uid`, where that is given), or the one with a `role`; FaultError otherwise."""
        found = [node for node in self._nodes.engine.nodes() if _is_meant(node, asked)]
        if len(found) != 1:
            wanted = asked.get("name") or asked.get("role")
            raise FaultError(f"cluster {self._nodes.name} has {len(found)} nodes {wanted}, and one is broken at a time")
        (node,) = found
        if node.name in self._kept:
            raise FaultError(f"{node.name} carries the suite (chaosblink.io/suite=true) and is never a victim")
        if not node.runs:
            raise FaultError(f"{node.name} is already down: there is nothing to break")
        return Machine(node.name, node.id, node.role, node.network, node.address)


def _is_meant(node: Container, asked: dict[str, Any]) -> bool:
    if "name" not in asked:
        return asked.get("role") == node.role == CONTROL_PLANE
    return bool(node.name == asked["name"] and asked.get("uid", node.id) == node.id)


def state_name(cluster: str) -> str:
    """Directory of the node faults of a kind cluster, below the state's root."""
    return f"nodes-{cluster}"


def state_of(cluster: str) -> Path:
    """Where the node faults of a kind cluster are journaled on its host; made if missing."""
    state = state_root() / state_name(cluster)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state


def alone(cluster: str) -> filelock.BaseFileLock:
    """What a driver holds while it lives; filelock.Timeout at once when another one does."""
    return filelock.FileLock(state_of(cluster) / "driver.lock", timeout=0)


def open_nodes(cluster: str) -> Nodes:
    """The nodes of a kind cluster of this machine; PlatformError when no engine here has them."""
    return Nodes(of_cluster(cluster), state_of(cluster), Uplink())
