"""How far the release's workloads are: wanted and ready pods of each, and why a pod is not ready."""

from __future__ import annotations

from dataclasses import dataclass

from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Json

PART_OF = "=".join(names.PART_OF)
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


def workloads(api: Api) -> list[Workload]:
    """Every workload of the release, in order of namespace and name."""
    lists = (api.apps.list_stateful_set_for_all_namespaces, api.apps.list_deployment_for_all_namespaces)
    items = [item for each in lists for item in api.ask("list workloads", each, label_selector=PART_OF)["items"]]
    return sorted(map(workload, items), key=lambda each: (each.namespace, each.name))


def workload(item: Json) -> Workload:
    """How far a StatefulSet or Deployment is, from what the API says of it."""
    metadata, status = item["metadata"], item.get("status", {})
    seen = status.get("observedGeneration", 0) >= metadata["generation"]
    ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0)) if seen else 0
    return Workload(
        metadata["name"], metadata["namespace"], metadata["labels"][COMPONENT], item["spec"].get("replicas", 1), ready
    )


def pods(api: Api) -> list[Json]:
    """Every pod of the release, in all namespaces."""
    found = api.ask("list pods", api.core.list_pod_for_all_namespaces, label_selector=PART_OF)
    return list(found["items"])


def unready(api: Api) -> list[str]:
    """One line for each pod that is not ready (a finished one is): where it is and what Kubernetes says of it."""
    return [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}: {_why(pod['status'])}"
        for pod in pods(api)
        if pod["status"].get("phase") != "Succeeded" and not ready(pod)
    ]


def ready(pod: Json) -> bool:
    """Whether the pod says it serves."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or [])


def _why(status: Json) -> str:
    boxes = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    for box in boxes:
        waiting, ended = box["state"].get("waiting", {}), box["state"].get("terminated", {})
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"{box['name']} {waiting['reason']} after {box['restartCount']} restarts"
        if ended.get("exitCode"):
            return f"{box['name']} ended with exit code {ended['exitCode']}"
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return f"not on a node: {condition.get('message', '')}"
    running = [box["name"] for box in boxes if "running" in box["state"] and not box["ready"]]
    return f"{', '.join(running)} runs and is not ready" if running else str(status.get("phase"))
