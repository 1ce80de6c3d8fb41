"""The platform's instances: every pod its workloads should have, those included that are not there now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaosblink.targets import Instance
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Away, Json

PORTS = {
    "vault": 8200,
    "postgresql": 5432,
    "pgpool": 5432,
    "redis": 6379,
    "sentinel": 26379,
    "identity": 8080,
    "eventrelay": 9464,
    "edge": 443,
}
"""Components whose servers are asked something, and the port each listens at unless its container says otherwise."""
COMPONENT = "app.kubernetes.io/component"
NOWHERE = "127.255.255.254"
"""Address of an instance that has none: nothing listens there, so whoever asks is refused at once."""
FRESH_S, WORKLOADS_FRESH_S = 0.5, 2.0
AWAY_S = 1.0
"""For how much longer the last answer stands before an API that was away is asked again."""


@dataclass(frozen=True, slots=True)
class Member:
    """An instance, its pod and its workload as the API words them; `pod` is None while there is none."""

    instance: Instance
    namespace: str
    pod: Json | None
    workload: Json

    @property
    def container(self) -> Json | None:
        """Status of the server's container; None before it has one."""
        statuses = ((self.pod or {}).get("status") or {}).get("containerStatuses") or []
        return next((box for box in statuses if box["name"] == self.instance.component), None)


class Listing:
    """Reads pods at most twice a second, workloads every 2 s; while the API is away, the last answer stands."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._workloads: tuple[float, dict[str, list[Json]]] = (-WORKLOADS_FRESH_S, {})
        self._members: tuple[float, list[Member]] = (-FRESH_S, [])

    def members(self) -> list[Member]:
        """All instances in order of name. PlatformError when the API refuses, or was never reached."""
        at, known = self._members
        if time.monotonic() - at < FRESH_S:
            return known
        try:
            found = [member for namespace in names.PLATFORM_NAMESPACES for member in self._of(namespace)]
        except Away:
            if not known:
                raise
            # asking takes seconds while nobody answers, and whoever wants the list must not wait for each of them
            self._members = (time.monotonic() + AWAY_S, known)
            return known
        known = sorted(found, key=lambda member: member.instance.name)
        self._members = (time.monotonic(), known)
        return known

    def _of(self, namespace: str) -> Iterator[Member]:
        pods = {pod["metadata"]["name"]: pod for pod in self._api.pods(namespace)}
        for workload in self._of_workloads(namespace):
            component = workload["spec"]["template"]["metadata"].get("labels", {}).get(COMPONENT)
            if component not in PORTS:
                continue
            name, replicas = workload["metadata"]["name"], _replicas(workload)
            if workload["kind"] == "StatefulSet":
                chosen = [(f"{name}-{number}", pods.get(f"{name}-{number}")) for number in range(replicas)]
            else:
                chosen = _of_deployment(name, component, replicas, pods)
            sets = self._redis_sets(namespace) if component == "redis" else replicas
            for number, (pod_name, pod) in enumerate(chosen):
                yield Member(_instance(pod_name, component, number % max(1, sets), pod), namespace, pod, workload)

    def _redis_sets(self, namespace: str) -> int:
        """How many sets there are: one a master, and replicas beyond that number begin with the first set again."""
        masters = [w for w in self._of_workloads(namespace) if w["metadata"]["name"] == "redis-master"]
        return _replicas(masters[0]) if masters else 1

    def _of_workloads(self, namespace: str) -> list[Json]:
        at, known = self._workloads
        if time.monotonic() - at >= WORKLOADS_FRESH_S:
            known = {one: self._read_workloads(one) for one in names.PLATFORM_NAMESPACES}
            self._workloads = (time.monotonic(), known)
        return known[namespace]

    def _read_workloads(self, namespace: str) -> list[Json]:
        apps, found = self._api.apps, []
        for kind, call in (
            ("StatefulSet", apps.list_namespaced_stateful_set),
            ("Deployment", apps.list_namespaced_deployment),
        ):
            items = self._api.ask(f"list {kind}s in namespace {namespace}", call, namespace)["items"]
            found += [{**item, "kind": kind} for item in items]
        return found


def _replicas(workload: Json) -> int:
    return int(workload["spec"].get("replicas", 1))


def _of_deployment(name: str, component: str, replicas: int, pods: dict[str, Json]) -> list[tuple[str, Json | None]]:
    """Its pods but those that are ending or over, and a name without a pod for each that is missing."""
    present = sorted(
        pod_name
        for pod_name, pod in pods.items()
        if pod["metadata"].get("labels", {}).get(COMPONENT) == component
        and any(owner["kind"] == "ReplicaSet" for owner in pod["metadata"].get("ownerReferences", []))
        and "deletionTimestamp" not in pod["metadata"]
        and pod["status"].get("phase") in ("Pending", "Running")
    )
    missing = [f"{name}-missing-{number}" for number in range(replicas - len(present))]
    return [(each, pods.get(each)) for each in [*present, *missing]]


def _instance(name: str, component: str, ordinal: int, pod: Json | None) -> Instance:
    status: dict[str, Any] = (pod or {}).get("status") or {}
    spec: dict[str, Any] = (pod or {}).get("spec") or {}
    address = status.get("podIP") or NOWHERE
    return Instance(name, component, ordinal, address, _port(component, spec), spec.get("nodeName") or "")


def _port(component: str, spec: dict[str, Any]) -> int:
    """The usual port if the server's container declares it, or declares none; else the first one it declares."""
    boxes = [box for box in spec.get("containers", []) if box["name"] == component]
    declared = [int(port["containerPort"]) for box in boxes for port in box.get("ports", [])]
    usual = PORTS[component]
    return usual if usual in declared or not declared else declared[0]
