"""A Kubernetes API on loopback: objects by path, the verbs the suite's own parts use, and a kubeconfig for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Json = dict[str, Any]
LABELS = {"chaosblink.io/chaos": "allowed"}


@dataclass
class FakeApi:
    """`objects` maps a path of the API to what it answers; `refused` paths get 403; logs are text.

    `acts` maps a method and a path to what answers instead: from the body to status and content; `query` is that of the
    last question.
    """

    objects: dict[str, Any] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    acts: dict[tuple[str, str], Callable[[Json], tuple[int, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    query: dict[str, list[str]] = field(default_factory=dict)

    def start(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer("GET")

            def do_PUT(self) -> None:
                self._answer("PUT")

            def do_PATCH(self) -> None:
                self._answer("PATCH")

            def do_POST(self) -> None:
                self._answer("POST")

            def do_DELETE(self) -> None:
                self._answer("DELETE")

            def log_message(self, *_: Any) -> None:
                """Quiet."""

            def _answer(self, method: str) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                status, content = api.answer(method, self.path, body)
                text = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nobody listens at its address any more."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, target: str, body: Json) -> tuple[int, Any]:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self.asked.append((method, path))
        self.query = query
        if path in self.refused:
            return 403, {"kind": "Status", "message": f"{path} is forbidden for you", "code": 403}
        if (method, path) in self.acts:
            return self.acts[method, path](body)
        if path not in self.objects:
            return 404, {"kind": "Status", "message": f"{path} not found", "code": 404}
        held = self.objects[path]
        if method == "PUT":
            if body["metadata"].get("resourceVersion") != held["metadata"].get("resourceVersion"):
                return 409, {"kind": "Status", "message": "the object has been modified", "code": 409}
            version = int(held["metadata"].get("resourceVersion") or 0) + 1
            self.objects[path] = {**body, "metadata": {**body["metadata"], "resourceVersion": str(version)}}
        elif method == "PATCH":
            for key, value in body.items():
                held[key] = {**held.get(key, {}), **value} if isinstance(value, dict) else value
        found = self.objects[path]
        if callable(found):
            return 200, found(query)
        return 200, found

    def kubeconfig(self, path: Path, context: str) -> None:
        """Write one that knows this API as `context`."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.address}}],
            "users": [{"name": "u", "user": {"token": "not-a-secret"}}],
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        }
        path.write_text(yaml.safe_dump(content))


def platform() -> dict[str, Any]:
    """The objects of a small platform: two Vault pods of three, a Deployment with one pod ending, a Redis pair."""
    objects: dict[str, Any] = {
        f"/api/v1/namespaces/{name}": {"metadata": {"name": name, "labels": dict(LABELS)}}
        for name in ("blinkchamber", "database", "identity", "ingress")
    }
    objects["/api/v1/namespaces/kube-system"] = {"metadata": {"name": "kube-system", "uid": "cluster-uid"}}
    pods: dict[str, list[Json]] = {
        "blinkchamber": [pod("vault-0", "vault", "10.1.0.2"), pod("vault-1", "vault", "10.1.0.3")],
        "database": [pod("redis-master-0", "redis", "10.1.0.4"), pod("redis-replica-0", "redis", "10.1.0.5")],
        "identity": [
            pod("zitadel-abc-1", "identity", "10.1.0.6", owner="ReplicaSet"),
            {**pod("zitadel-abc-2", "identity", "10.1.0.7", owner="ReplicaSet")},
        ],
        "ingress": [pod("edge-0", "edge", "10.1.0.8", ports=[8443])],
    }
    pods["identity"][1]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    pods["blinkchamber"].append(pod("vault-setup-x1", "vault", "10.1.0.9", owner="Job"))
    sets = {
        "blinkchamber": [workload("vault", "vault", 3)],
        "database": [workload("redis-master", "redis", 1), workload("redis-replica", "redis", 1)],
        "identity": [],
        "ingress": [workload("edge", "edge", 1)],
    }
    deployments = {"identity": [workload("zitadel", "identity", 2)], "blinkchamber": [workload("inj", "injector", 1)]}
    for name in pods:
        objects[f"/api/v1/namespaces/{name}/pods"] = {"items": pods[name]}
        objects[f"/apis/apps/v1/namespaces/{name}/statefulsets"] = {"items": sets[name]}
        objects[f"/apis/apps/v1/namespaces/{name}/deployments"] = {"items": deployments.get(name, [])}
    configuration = {"items": [{"data": {"haproxy.cfg": "default-server inter 1s\n"}}]}
    objects["/api/v1/namespaces/ingress/configmaps"] = configuration
    objects["/api/v1/namespaces/ingress/services/edge"] = {"spec": {"clusterIP": "10.96.0.7"}}
    lease = "/apis/coordination.k8s.io/v1/namespaces/chaosblink/leases/chaosblink-run"
    objects[lease] = {"metadata": {"name": "chaosblink-run", "resourceVersion": "1"}, "spec": {}}
    objects["/api/v1/namespaces/chaosblink/secrets/chaosblink-run-token"] = {"metadata": {}, "data": {}}
    return objects


def pod(
    name: str,
    component: str,
    address: str,
    owner: str = "StatefulSet",
    ports: list[int] | None = None,
    restarts: int = 0,
) -> Json:
    """A running pod with a server and an injector's agent beside it."""
    box = {
        "name": component,
        "containerID": f"containerd://{component}{name}",
        "restartCount": restarts,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        "lastState": {"terminated": {"exitCode": 137}} if restarts else {},
    }
    beside = {"name": "vault-agent", "containerID": "containerd://beside", "state": {"running": {}}, "lastState": {}}
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "labels": {"app.kubernetes.io/component": component},
            "ownerReferences": [{"kind": owner}],
        },
        "spec": {
            "nodeName": "worker",
            "containers": [{"name": component, "ports": [{"containerPort": port} for port in ports or []]}],
        },
        "status": {"phase": "Running", "podIP": address, "containerStatuses": [beside, box]},
    }


def workload(name: str, component: str, replicas: int) -> Json:
    """A StatefulSet or Deployment."""
    template = {"metadata": {"labels": {"app.kubernetes.io/component": component}}}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "template": template}}
