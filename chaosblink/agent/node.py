"""The pods of one node as a target of the local faults: their processes are this machine's, found by cgroup."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from chaosblink.agent.cgroups import Cgroups
from chaosblink.agent.foreign import NoPlatform
from chaosblink.agent.partition import Partition
from chaosblink.faults import journal, processes
from chaosblink.observer.processes import read_processes
from chaosblink.targets import Instance, Lifetime, PlatformError


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod the agent may act on; it goes into the victims' `place`, so that an agent finds it after its own restart.

    `beside` are ids of the pod's containers that are not the server (an injector's agent), which no fault touches.
    """

    name: str
    namespace: str
    component: str
    uid: str
    beside: tuple[str, ...] = ()

    def place(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "beside": list(self.beside)}


def pod_of(place: dict[str, Any]) -> Pod:
    """A pod from its JSON; KeyError names what is missing."""
    return Pod(
        place["name"], place["namespace"], place["component"], place["uid"], tuple(str(b) for b in place["beside"])
    )


class Node(NoPlatform):
    """Target interface (see `chaosblink.targets.Target`) over the pods of this node that were made known to it.

    A kubelet runs what is here and restarts what ends: starting and stopping are not an agent's to do.
    """

    kind = "node"

    def __init__(self, name: str, state: Path, cgroups: Cgroups, partition: Partition) -> None:
        self.name, self.state = name, state
        self._cgroups, self._partition = cgroups, partition
        self.run_addresses: list[str] = []
        """Where the clients of the run are whose faults are carried out now."""
        self._pods: dict[str, Pod] = {}
        for place in journal.open_faults(self):
            for victim in journal.load(place).victims:
                self.know(pod_of(victim.place))

    def know(self, pod: Pod) -> Instance:
        """From now on the pod is one of the instances; a pod that took over a name takes its place."""
        self._pods[pod.name] = pod
        return self._instance(pod)

    def pod(self, instance: Instance) -> Pod:
        """The pod of an instance; PlatformError when it is not known."""
        if instance.name not in self._pods:
            raise PlatformError(f"the agent of {self.name} does not know {instance.name}")
        return self._pods[instance.name]

    def instances(self, component: str | None = None) -> list[Instance]:
        """The pods made known so far, in order of name."""
        chosen = [pod for _, pod in sorted(self._pods.items()) if component in (None, pod.component)]
        return [self._instance(pod) for pod in chosen]

    def lifetime(self, instance: Instance) -> Lifetime | None:
        """The server container's first process."""
        group = self._server(instance)
        for pid in self._eldest_first(group):
            try:
                started = psutil.Process(pid).create_time()
            except psutil.NoSuchProcess:
                continue
            return Lifetime(pid, started, f"{self.pod(instance).uid}/{group[pid]}")
        return None

    def processes(self, instance: Instance) -> list[int]:
        """Pids (of this node) of the server container's processes, main process first."""
        return self._eldest_first(self._server(instance))

    def isolate(self, instance: Instance, inbound: bool = True, outbound: bool = True, clients: bool = True) -> None:
        """Drop the pod's packets, but for those between it and its node, and the run's own unless `clients`."""
        if not clients and not self.run_addresses:
            raise PlatformError("the run did not say where its clients are: they would be cut off too")
        self._partition.cut(self._anyone(instance), inbound, outbound, [] if clients else self.run_addresses)

    def rejoin(self, instance: Instance) -> None:
        """Undo `isolate`; no error when the pod, and its network with it, is gone."""
        if (pid := self._cgroups.anyone(self.pod(instance).uid)) is not None:
            self._partition.mend(pid)

    def dropped(self, instance: Instance) -> int | None:
        """Packets `isolate` has dropped so far; None while nothing is cut, or the pod is gone."""
        pid = self._cgroups.anyone(self.pod(instance).uid)
        return None if pid is None else self._partition.dropped(pid)

    def cannot(self, fault: str) -> str:
        """A kubelet restarts what is stopped; everything else works."""
        return "a kubelet restarts what is stopped" if fault == "stop" else ""

    def start(self, instance: Instance) -> None:
        """Undo `stop`; the process itself is started by its kubelet alone."""
        self.rejoin(instance)

    def stop(self, instance: Instance) -> None:
        """Keep down what was killed: a kubelet starts it again, and nobody reaches it until `start`."""
        self._partition.cut(self._anyone(instance), inbound=True, outbound=True)

    def strangers(self, instance: Instance, ticks: dict[int, int]) -> list[int]:
        """Of some processes (pid to start tick) those that live and are not the pod's server."""
        own = self._server(instance)
        return [pid for pid, tick in ticks.items() if pid not in own and processes.started(pid) == tick]

    def usage(self, pods: list[Pod]) -> dict[str, tuple[float, int]]:
        """By name of the pod: CPU seconds of its server's processes so far, and their resident bytes."""
        everyone, boxes = read_processes(), self._cgroups.by_pod([pod.uid for pod in pods])
        answer = {}
        for pod in pods:
            own = [everyone[p] for p, box in boxes[pod.uid].items() if box not in pod.beside and p in everyone]
            answer[pod.name] = (sum(process.cpu_s for process in own), sum(process.rss for process in own))
        return answer

    def _server(self, instance: Instance) -> dict[int, str]:
        """Pid to container id of the server's own container; of two (one ending, one new) both."""
        pod = self.pod(instance)
        return {pid: box for pid, box in self._cgroups.of(pod.uid).items() if box not in pod.beside}

    def _eldest_first(self, group: dict[int, str]) -> list[int]:
        """Main processes (whose parent is outside) first; of several the newest life first."""

        def key(pid: int) -> tuple[bool, float, int]:
            try:
                process = psutil.Process(pid)
                return process.ppid() in group, -process.create_time(), pid
            except psutil.NoSuchProcess:
                return True, 0.0, pid

        return sorted(group, key=key)

    def _anyone(self, instance: Instance) -> int:
        pid = self._cgroups.anyone(self.pod(instance).uid)
        if pid is None:
            raise PlatformError(f"no process of {instance.name} is on {self.name}")
        return pid

    def _instance(self, pod: Pod) -> Instance:
        return Instance(pod.name, pod.component, 0, "", 0, self.name)
