"""How far the release's workloads are: wanted and ready pods of each, and why a pod is not ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chaosblink.targets.kubernetes.cluster import TIMEOUT_S, Cluster

PART_OF = "app.kubernetes.io/part-of=blinkchamber-platform"
COMPONENT = "app.kubernetes.io/component"


@dataclass(frozen=True, slots=True)
class Workload:
    """A StatefulSet or Deployment; `ready` counts pods of the newest revision only."""

    name: str
    namespace: str
    component: str
    wanted: int
    ready: int

    @property
    def whole(self) -> bool:
        """Every pod it wants is there and ready."""
        return self.ready == self.wanted


def workloads(cluster: Cluster) -> list[Workload]:
    """Every workload of the release, in order of namespace and name."""
    sets = cluster.apps.list_stateful_set_for_all_namespaces(label_selector=PART_OF, _request_timeout=TIMEOUT_S)
    deployments = cluster.apps.list_deployment_for_all_namespaces(label_selector=PART_OF, _request_timeout=TIMEOUT_S)
    found = [_workload(item) for item in [*sets.items, *deployments.items]]
    return sorted(found, key=lambda workload: (workload.namespace, workload.name))


def _workload(item: Any) -> Workload:
    status = item.status
    seen = (status.observed_generation or 0) >= item.metadata.generation
    ready = min(status.ready_replicas or 0, status.updated_replicas or 0) if seen else 0
    return Workload(
        item.metadata.name, item.metadata.namespace, item.metadata.labels[COMPONENT], item.spec.replicas or 0, ready
    )


def unready(cluster: Cluster) -> list[str]:
    """One line for each pod that is not ready (a finished one is): where it is and what Kubernetes says of it."""
    pods: Any = cluster.core.list_pod_for_all_namespaces(label_selector=PART_OF, _request_timeout=TIMEOUT_S)
    return [f"{pod.metadata.namespace}/{pod.metadata.name}: {_why(pod)}" for pod in pods.items if not _ready(pod)]


def _ready(pod: Any) -> bool:
    if pod.status.phase == "Succeeded":
        return True
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])


def _why(pod: Any) -> str:
    statuses = [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]
    for status in statuses:
        waiting, ended = status.state.waiting, status.state.terminated
        if waiting and waiting.reason not in ("PodInitializing", "ContainerCreating"):
            return f"{status.name} {waiting.reason} after {status.restart_count} restarts"
        if ended and ended.exit_code:
            return f"{status.name} ended with exit code {ended.exit_code}"
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status != "True":
            return f"not on a node: {condition.message}"
    running = [status.name for status in statuses if status.state.running and not status.ready]
    return f"{', '.join(running)} runs and is not ready" if running else str(pod.status.phase)
