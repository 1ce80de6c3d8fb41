"""A Deployment of a fake API and its controllers: pods are made and ended until there are as many as it wants."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.targets.fake_api import FakeApi, Json, pod, workload

COMPONENT = "app.kubernetes.io/component"


@dataclass
class FakeDeployment:
    """Each look at one of its pods, or at their list, is a moment of its controllers' time.

    `starts_after` and `ends_after` are how many looks a pod takes to be ready and to be gone; `obeys` false is an API
    that takes a number and forgets it; `controls` false are controllers that are dead; `refusal` says why no pod may
    be made now, and nothing when one may.
    """

    api: FakeApi
    namespace: str
    name: str
    component: str
    replicas: int
    starts_after: int = 2
    ends_after: int = 2
    obeys: bool = True
    controls: bool = True
    refusal: Callable[[], str] = str
    lives: int = 0
    pods: dict[str, Json] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    scaled: list[int] = field(default_factory=list)
    refused: str = ""
    restarts: int = 0

    def __post_init__(self) -> None:
        self.item: Json = copy.deepcopy(workload(self.name, self.component, self.replicas))
        self.item["metadata"] |= {"namespace": self.namespace, "generation": 1, "labels": {COMPONENT: self.component}}
        self.item["metadata"]["managedFields"] = [{"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]
        self.item["spec"]["selector"] = {"matchLabels": {COMPONENT: self.component}}
        for _ in range(self.replicas):
            self._ready(self._born())
        deployments = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        self.api.objects[deployments] = lambda _: {"items": [self._now()]}
        self.api.objects[f"{deployments}/{self.name}"] = lambda _: self._now()
        self.api.objects[f"/api/v1/namespaces/{self.namespace}/pods"] = self._listed
        self.api.acts["PATCH", f"{deployments}/{self.name}/scale"] = self._scale
        self.api.acts["PATCH", f"{deployments}/{self.name}"] = self._restart

    def uids(self) -> set[str]:
        """UIDs of its pods."""
        return {str(one["metadata"]["uid"]) for one in self.pods.values()}

    def _scale(self, body: Json) -> tuple[int, Any]:
        assert set(body) == {"spec"}
        self.scaled.append(body["spec"]["replicas"])
        if self.obeys:
            self.item["spec"]["replicas"] = body["spec"]["replicas"]
            self.item["metadata"]["generation"] += 1
            (manager,) = self.api.query["fieldManager"]
            by = {"manager": manager, "operation": "Update", "subresource": "scale"}
            self.item["metadata"]["managedFields"].append({**by, "fieldsV1": {"f:spec": {"f:replicas": {}}}})
        return 200, {"kind": "Scale", "spec": dict(body["spec"])}

    def _restart(self, body: Json) -> tuple[int, Any]:
        assert list(body["spec"]["template"]) == ["metadata"]
        self.restarts += 1
        if self.obeys:
            for name in self.pods:
                self.end(name)
        return 200, self.item

    def _now(self) -> Json:
        serving = len([one for one in self.pods.values() if self._serves(one)])
        seen = self.item["metadata"]["generation"]
        self.item["status"] = {"observedGeneration": seen, "readyReplicas": serving, "updatedReplicas": serving}
        if self.refused:
            failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": self.refused}
            self.item["status"]["conditions"] = [{"type": "Available", "status": "True", "message": "ok"}, failure]
        return self.item

    def _listed(self, query: dict[str, list[str]]) -> Json:
        assert query.get("labelSelector", [""])[0] in ("", f"{COMPONENT}={self.component}")
        self._pass()
        return {"items": list(self.pods.values())}

    def _pass(self) -> None:
        for name in list(self.left):
            self.left[name] -= 1
            if self.left[name] > 0:
                continue
            del self.left[name]
            if "deletionTimestamp" in self.pods[name]["metadata"]:
                del self.pods[name]
            else:
                self._ready(name)
        if self.controls:
            self._control()

    def _control(self) -> None:
        staying = [name for name, one in self.pods.items() if "deletionTimestamp" not in one["metadata"]]
        wanted = self.item["spec"]["replicas"]
        for _ in range(wanted - len(staying)):
            self.refused = self.refusal()
            if not self.refused:
                self.left[self._born()] = self.starts_after
        for name in staying[wanted:]:
            self.end(name)

    def end(self, name: str) -> None:
        """Ask a pod to end."""
        self.pods[name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.left[name] = self.ends_after

    def endpoints(self, _: Json) -> Json:
        """The slices of a Service in front of its pods."""
        ready = [{"addresses": ["10.1.0.30"], "conditions": {"ready": self._serves(one)}} for one in self.pods.values()]
        return {"items": [{"endpoints": ready or None}]}

    def _born(self) -> str:
        self.lives += 1
        name = f"{self.name}-{self.lives}"
        made = copy.deepcopy(pod(name, self.component, "10.1.0.30", owner="ReplicaSet"))
        made["metadata"]["uid"] = f"{self.name}-life-{self.lives}"
        made["spec"]["nodeName"] = f"worker{self.lives % 3}"
        self.pods[name] = made
        place = f"/api/v1/namespaces/{self.namespace}/pods/{name}"
        self.api.acts["GET", place] = lambda _: self._read(name)
        self.api.acts["DELETE", place] = lambda body: self._delete(name, body)
        return name

    def _read(self, name: str) -> tuple[int, Any]:
        self._pass()
        found = self.pods.get(name)
        return (200, found) if found else (404, {"message": "not found"})

    def _delete(self, name: str, body: Json) -> tuple[int, Any]:
        if name not in self.pods or body["preconditions"]["uid"] != self.pods[name]["metadata"]["uid"]:
            return 409, {"message": "the UID in the precondition does not match"}
        self.end(name)
        return 200, {"status": "Success"}

    def _ready(self, name: str) -> None:
        self.pods[name]["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

    def _serves(self, one: Json) -> bool:
        return bool(one["status"].get("conditions")) and "deletionTimestamp" not in one["metadata"]
