"""Controllers and kubelets of a fake API: pods that are deleted or evicted are replaced, workloads are rolled out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.targets.fake_api import FakeApi, Json, pod, workload

DATABASE = "/api/v1/namespaces/database/pods"
IDENTITY = "/api/v1/namespaces/identity/pods"
SETS = "/apis/apps/v1/namespaces/database/statefulsets"
COMPONENT = "app.kubernetes.io/component"


@dataclass
class FakeCluster:
    """Three PostgreSQL pods, one a node, of a StatefulSet; two nodes more than the suite's own.

    `ends_after` is how many looks a deleted pod is seen ending; `budget` how many evictions are refused first;
    `replaces` false is a controller that is dead; `moves` lets a drained pod start elsewhere.
    """

    api: FakeApi
    ends_after: int = 2
    budget: int = 0
    replaces: bool = True
    lives: int = 0
    asked_to_end: dict[str, int] = field(default_factory=dict)
    grace: list[Any] = field(default_factory=list)
    cordoned: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        objects = self.api.objects
        self.pods = {f"postgresql-{n}": self._born(f"postgresql-{n}", f"worker{n}") for n in range(3)}
        self.set: Json = workload("postgresql", "postgresql", 3)
        self.set["metadata"] |= {"namespace": "database", "generation": 1, "labels": {COMPONENT: "postgresql"}}
        self.set["status"] = {"observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": 3}
        objects[SETS] = {"items": [self.set]}
        objects[f"{SETS}/postgresql"] = self.set
        objects[DATABASE] = lambda _: {"items": [one for one in self.pods.values() if one]}
        self.api.acts["PATCH", f"{SETS}/postgresql"] = self._roll
        for name in self.pods:
            self._serve(f"{DATABASE}/{name}", name)
        for number in range(4):
            labels = {"chaosblink.io/suite": "true"} if number == 3 else {}
            node: Json = {"metadata": {"name": f"worker{number}", "labels": labels}, "spec": {}}
            objects[f"/api/v1/nodes/worker{number}"] = node
            self.api.acts["PATCH", f"/api/v1/nodes/worker{number}"] = self._cordon(node)

    def node(self, number: int) -> Json:
        """A node as the API has it."""
        found: Json = self.api.objects[f"/api/v1/nodes/worker{number}"]
        return found

    def uid(self, name: str) -> str:
        """UID of the pod of this name now."""
        return str(self.pods[name]["metadata"]["uid"])

    def _born(self, name: str, node: str) -> Json:
        self.lives += 1
        made = copy.deepcopy(pod(name, "postgresql", "10.1.0.1"))
        made["metadata"]["uid"] = f"life-{self.lives}"
        made["spec"]["nodeName"] = node
        return made

    def _serve(self, path: str, name: str) -> None:
        def read(_: Json) -> tuple[int, Any]:
            self._pass(name)
            found = self.pods.get(name)
            return (200, found) if found else (404, {"message": "not found"})

        def delete(body: Json) -> tuple[int, Any]:
            return self._end(name, body["preconditions"]["uid"], body.get("gracePeriodSeconds", 30))

        def evict(body: Json) -> tuple[int, Any]:
            if self.budget:
                self.budget -= 1
                return 429, {"message": "Cannot evict pod as it would violate the pod's disruption budget."}
            return self._end(name, body["deleteOptions"]["preconditions"]["uid"], 30)

        self.api.acts["GET", path], self.api.acts["DELETE", path] = read, delete
        self.api.acts["POST", f"{path}/eviction"] = evict

    def _end(self, name: str, uid: str, grace: int) -> tuple[int, Any]:
        if uid != self.uid(name):
            return 409, {"message": "the UID in the precondition does not match"}
        self.grace.append(grace)
        self.pods[name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.asked_to_end[name] = 0 if grace == 0 else self.ends_after
        return 200, {"status": "Success"}

    def _pass(self, name: str) -> None:
        """One look at an ending pod is a moment of its end."""
        if name not in self.asked_to_end:
            return
        self.asked_to_end[name] -= 1
        if self.asked_to_end[name] < 0:
            del self.asked_to_end[name]
            self._replace(name)

    def _replace(self, name: str) -> None:
        node = self.pods[name]["spec"]["nodeName"]
        free = not self.node(int(node[-1]))["spec"].get("unschedulable")
        self.pods[name] = self._born(name, node) if self.replaces and free else {}

    def _roll(self, _: Json) -> tuple[int, Any]:
        self.set["metadata"]["generation"] += 1
        self.set["status"]["observedGeneration"] += 1
        for name in self.pods:
            if self.replaces:
                self._replace(name)
        return 200, self.set

    def _cordon(self, node: Json) -> Callable[[Json], tuple[int, Any]]:
        def patch(body: Json) -> tuple[int, Any]:
            node["spec"]["unschedulable"] = body["spec"]["unschedulable"]
            self.cordoned.append(bool(body["spec"]["unschedulable"]))
            if not body["spec"]["unschedulable"]:
                gone = [name for name, found in self.pods.items() if not found]
                self.pods |= {name: self._born(name, node["metadata"]["name"]) for name in gone}
            return 200, node

        return patch
