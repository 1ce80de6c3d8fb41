"""Start scripts with what only the chart gives them: host names, several sets in one environment, Secrets to keep."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosblink.targets.local.certificates import Authority
from chaosblink.targets.local.layout import CHART
from tests.chart.conftest import Objects, env, pod_templates

FILES = CHART / "files"
Render = Callable[[str], Objects]


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """In a server's place: prints the configuration it is given."""
    program = tmp_path / "show"
    program.write_text('#!/bin/sh\ncat "$1"\n')
    program.chmod(0o755)
    return program


def start(component: str, tmp_path: Path, variables: dict[str, str], **more: str) -> str:
    """Run a component's start script with the chart's variables; what it prints."""
    secrets = tmp_path / "secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / "redis-password").write_text("swordfish")
    own = {"DATA": str(tmp_path / "data"), "SECRETS": str(secrets), "FILES": str(FILES / component)}
    own |= {"ADDRESS": "127.0.0.1", "PATH": os.environ["PATH"] + ":/usr/sbin"}
    done = subprocess.run(
        [str(FILES / component / "start.sh")],
        env=variables | own | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("instance", "leader"),
    [
        ("redis-master-1", None),
        ("redis-replica-1", "redis-master-1.redis-masters"),
        ("redis-replica-5", "redis-master-2.redis-masters"),
    ],
)
def test_a_redis_pod_finds_its_set_by_its_number(
    render: Render, tmp_path: Path, show: Path, instance: str, leader: str | None
) -> None:
    pods = pod_templates(render("redis.replica.replicaCount=6"))
    variables = env(pods[instance.rpartition("-")[0]]) | {"SENTINELS": ""}
    said = start("redis", tmp_path, variables, INSTANCE=instance, REDIS_SERVER=str(show))
    assert f"replica-announce-ip {instance}.redis-{instance.split('-')[1]}s.database.svc.cluster.local" in said
    replicaof = [line for line in said.splitlines() if line.startswith("replicaof")]
    assert replicaof == ([f"replicaof {leader}.database.svc.cluster.local 6379"] if leader else [])


def test_a_sentinel_learns_of_new_sets_and_forgets_old_ones(render: Render, tmp_path: Path, show: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    kept = "sentinel monitor set-1 redis-replica-0.redis-replicas.database.svc.cluster.local 6379 2"
    gone = "sentinel monitor set-9 old 6379 2\nsentinel auth-pass set-9 x\nsentinel known-replica set-9 old-1 6379"
    (data / "sentinel.conf").write_text(
        f"sentinel myid abc\n{kept}\nsentinel config-epoch set-1 7\n{gone}\nbind 1.2.3.4\n"
    )
    variables = env(pod_templates(render(""))["redis-sentinel"])
    said = start("sentinel", tmp_path, variables, INSTANCE="redis-sentinel-0", REDIS_SERVER=str(show)).splitlines()
    assert kept in said
    assert "sentinel config-epoch set-1 7" in said
    assert not [line for line in said if "set-9" in line]
    for number in (2, 3):
        host = f"redis-master-{number - 1}.redis-masters.database.svc.cluster.local"
        assert f"sentinel monitor set-{number} {host} 6379 2" in said
    assert [line for line in said if line.startswith("bind")] == ["bind 127.0.0.1 127.0.0.1"]


def test_haproxy_accepts_the_edges_configuration_with_names(render: Render, tmp_path: Path) -> None:
    haproxy = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
    assert haproxy, "haproxy is not installed: scripts/install-packages.sh"
    check = tmp_path / "check"
    check.write_text(f'#!/bin/sh\nshift\ncat "$4"\nexec {haproxy} -c "$@"\n')
    check.chmod(0o755)
    tls = tmp_path / "tls"
    Authority("test").issue(tls, [], ["edge"])
    variables = env(pod_templates(render(""))["edge"])
    said = start("edge", tmp_path, variables, INSTANCE="edge-0", HAPROXY=str(check), TLS=str(tls))
    assert "server-template identity- 10 zitadel-nodes.identity.svc.cluster.local:8080" in said
    assert "check resolvers dns resolve-prefer ipv4 init-addr none" in said


class Kubernetes(http.server.BaseHTTPRequestHandler):
    """Secrets as the API server serves them: GET, and PATCH with a merge patch."""

    kept: dict[str, dict[str, str]]

    def do_GET(self) -> None:
        self._answer({"data": self.kept[self.path]})

    def do_PATCH(self) -> None:
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.kept[self.path] |= body["data"]
        self._answer({})

    def _answer(self, body: dict[str, Any]) -> None:
        known = self.headers["Authorization"] == "Bearer the-token"
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[tuple[dict[str, dict[str, str]], dict[str, str]]]:
    """The Secrets of an API server, and the environment in which the scripts of the Job find it."""
    kept: dict[str, dict[str, str]] = {
        "/api/v1/namespaces/blinkchamber/secrets/vault-init": {},
        "/api/v1/namespaces/chaosblink/secrets/blinkchamber-secrets": {"chaos-password": "a2VwdA=="},
    }
    server = http.server.HTTPServer(("127.0.0.1", 0), type("Bound", (Kubernetes,), {"kept": kept}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("the-token")
    (account / "ca.crt").write_text("")
    variables = {
        "PATH": os.environ["PATH"],
        "K8S_HOST": f"http://127.0.0.1:{server.server_port}",
        "ACCOUNT": str(account),
        "SETUP_DIR": str(tmp_path / "setup"),
    }
    yield kept, variables
    server.shutdown()
    server.server_close()


def test_what_the_set_up_must_not_lose_is_kept_in_secrets(
    kubernetes: tuple[dict[str, dict[str, str]], dict[str, str]], tmp_path: Path
) -> None:
    kept, variables = kubernetes
    (tmp_path / "setup").mkdir()
    (tmp_path / "setup" / "init.json").write_text('{"root_token": "x"}\n')
    (tmp_path / "setup" / "chaos-role-id").write_text("an-id")
    keep = [str(FILES / "vault" / "keep.sh"), "init.json", "chaos-role-id"]
    subprocess.run(keep, env=variables, check=True, timeout=30)
    init, suite = kept.values()
    assert base64.b64decode(init["init.json"]) == b'{"root_token": "x"}\n'
    assert suite == {"chaos-password": "a2VwdA==", "chaos-role-id": base64.b64encode(b"an-id").decode()}


@pytest.mark.parametrize("earlier", [{}, {"init.json": "e30="}, {"init.json": "e30=", "done": "eA=="}])
def test_a_second_pod_takes_up_what_the_first_kept(
    kubernetes: tuple[dict[str, dict[str, str]], dict[str, str]], tmp_path: Path, earlier: dict[str, str]
) -> None:
    kept, variables = kubernetes
    next(iter(kept.values())).update(earlier)
    files = tmp_path / "files"
    files.mkdir()
    shutil.copy(FILES / "vault" / "setup-kubernetes.sh", files)
    (files / "setup.sh").write_text('#!/bin/sh\necho "$SETUP_AUTH"; ls "$SETUP_DIR"\n')
    (files / "setup.sh").chmod(0o755)
    run = [str(files / "setup-kubernetes.sh")]
    done = subprocess.run(
        run, env=variables | {"FILES": str(files)}, check=True, timeout=30, capture_output=True, text=True
    )
    auth, *there = done.stdout.split()
    assert auth == "kubernetes"
    assert set(there) - {"api-header"} == set(earlier)
