"""A cluster as target, against an API on loopback: guard, listing, lease, and what the command line refuses."""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosblink.agent.token import digest
from chaosblink.targets import Instance, PlatformError, open_target
from chaosblink.targets.kubernetes import lease, listing, names, opening, values
from chaosblink.targets.kubernetes.api import Api, Away, connect
from chaosblink.targets.kubernetes.listing import NOWHERE
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.waiting import until
from tests.targets import fake_api

CONTEXT = "kind-somewhere"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/chaosblink/leases/chaosblink-run"
TOKEN = "/api/v1/namespaces/chaosblink/secrets/chaosblink-run-token"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = fake_api.FakeApi(fake_api.platform())
    made.start()
    made.kubeconfig(tmp_path / "kubeconfig", CONTEXT)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("CHAOSBLINK_TARGET", "kubernetes")
    monkeypatch.setenv("CHAOSBLINK_CONTEXT", CONTEXT)
    monkeypatch.setenv("CHAOSBLINK_STATE", str(tmp_path / "state"))
    yield made
    made.stop()


@pytest.fixture
def target(api: Any) -> KubernetesTarget:
    assert api
    opened = open_target()
    assert isinstance(opened, KubernetesTarget)
    return opened


# --- the guard


def test_a_namespace_without_the_label_is_refused_with_the_command_that_would_allow_it(api: Any) -> None:
    api.objects["/api/v1/namespaces/database"]["metadata"]["labels"] = {}
    with pytest.raises(PlatformError, match=f"database .* chaosblink allow --context {CONTEXT}"):
        open_target()


def test_a_cluster_that_was_not_named_is_not_touched(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAOSBLINK_CONTEXT")
    with pytest.raises(PlatformError, match=f"only if it is named: --context NAME; there are {CONTEXT}"):
        open_target()
    assert api.asked == []


@pytest.mark.usefixtures("api")
def test_a_context_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAOSBLINK_CONTEXT", "another")
    with pytest.raises(PlatformError, match="no context 'another'"):
        open_target()


def test_a_missing_permission_is_named(api: Any, target: KubernetesTarget) -> None:
    api.refused.add("/api/v1/namespaces/database/pods")
    with pytest.raises(PlatformError, match="no permission to list pods in namespace database"):
        target.instances()


def test_an_unreachable_cluster_is_said_in_one_line(api: Any) -> None:
    api.stop()
    api.start()  # elsewhere
    with pytest.raises(Away, match="cannot be reached") as refused:
        open_target()
    assert "\n" not in str(refused.value)


def test_what_a_run_has_opened_stays_open_to_it_while_the_api_is_away(
    target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [instance.name for instance in target.instances()]

    def away(*_: Any, **__: Any) -> Any:
        raise Away("nobody answers")

    monkeypatch.setattr(opening, "_opened", {target.name: target})
    monkeypatch.setattr(opening, "connect", away)
    monkeypatch.setattr(target.api, "pods", away)
    with pytest.raises(Away):
        open_target()  # a person is told at once
    monkeypatch.setenv(names.CLUSTER, "cluster-uid")
    assert open_target() is target
    until(lambda: time.monotonic() - target._listing._members[0] > listing.FRESH_S, 5, "the list is old", every=0.05)
    assert [instance.name for instance in target.instances()] == seen
    monkeypatch.setattr(opening, "_opened", {})
    with pytest.raises(Away):
        open_target()


def test_a_cluster_without_the_platform_is_said_to_have_none(api: Any) -> None:
    del api.objects["/api/v1/namespaces/identity"]
    with pytest.raises(PlatformError, match="the platform is not deployed there"):
        open_target()


@pytest.mark.parametrize(
    ("command", "unlabelled", "said"),
    [
        (["status", "--target", "kubernetes"], False, "only if it is named"),
        (["status", "--context", "another"], False, "no context"),
        (["status", "--context", CONTEXT], True, "chaosblink allow --context"),
        (["run", "--rounds", "1", "--context", CONTEXT], True, "chaosblink allow --context"),
        (["rollback", "--context", CONTEXT], True, "chaosblink allow --context"),
        (["down", "--context", CONTEXT], False, "only kind clusters are removed here"),
        (["up", "--context", CONTEXT], False, "only kind clusters are made here"),
        (["exec", "--context", CONTEXT, "vault-0", "ls"], False, "kubectl exec"),
        (["stop", "--context", CONTEXT, "vault-0"], False, "cannot be kept down"),
        (["conformance", "--context", CONTEXT], True, "chaosblink allow --context"),
        (["conformance", "--context", CONTEXT, "--suite", "nosuch"], False, "no conformance suite 'nosuch'"),
    ],
)
def test_the_command_line_refuses_in_one_line_with_exit_code_2(
    api: Any, tmp_path: Path, command: list[str], unlabelled: bool, said: str
) -> None:
    if unlabelled:
        api.objects["/api/v1/namespaces/ingress"]["metadata"]["labels"] = {}
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CHAOSBLINK")}
    environment = {**clean, "KUBECONFIG": str(tmp_path / "kubeconfig"), "CHAOSBLINK_STATE": str(tmp_path)}
    line = [str(Path(sys.executable).parent / "chaosblink"), *command]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {method for method, _ in api.asked} <= {"GET"}


def test_a_pod_of_the_suite_in_another_cluster_touches_nothing(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(names.CLUSTER, "another-uid")

    def inside(client_configuration: Any) -> None:
        client_configuration.host = api.address

    monkeypatch.setattr("kubernetes.config.load_incluster_config", inside)
    monkeypatch.setattr(names, "KEPT", tmp_path)
    with pytest.raises(PlatformError, match="not the one that was named"):
        open_target()
    monkeypatch.setenv(names.CLUSTER, "cluster-uid")
    assert open_target().state == tmp_path / "state"


# --- the listing


def test_instances_are_what_the_workloads_should_have(target: KubernetesTarget) -> None:
    found = {instance.name: instance for instance in target.instances()}
    assert list(found) == [
        "edge-0",
        "redis-master-0",
        "redis-replica-0",
        "vault-0",
        "vault-1",
        "vault-2",
        "zitadel-abc-1",
        "zitadel-missing-0",
    ]
    assert found["vault-1"] == Instance("vault-1", "vault", 1, "10.1.0.3", 8200, "worker")
    assert found["edge-0"].port == 8443
    assert found["redis-replica-0"].ordinal == 0


def test_a_second_replica_belongs_to_the_set_of_its_master(api: Any) -> None:
    master, replica = api.objects["/apis/apps/v1/namespaces/database/statefulsets"]["items"]
    master["spec"]["replicas"], replica["spec"]["replicas"] = 3, 6
    sets = {instance.name: instance.ordinal + 1 for instance in open_target().instances("redis")}
    assert sets["redis-master-2"] == sets["redis-replica-2"] == sets["redis-replica-5"] == 3
    assert sets["redis-replica-3"] == 1


def test_an_instance_without_a_pod_is_down_and_not_forgotten(target: KubernetesTarget) -> None:
    (missing,) = [i for i in target.instances("vault") if i.name == "vault-2"]
    assert missing.address == NOWHERE
    assert target.lifetime(missing) is None
    with pytest.raises(PlatformError, match="already down"):
        target.pod_reference(missing)


def test_a_life_is_pod_and_container(api: Any, target: KubernetesTarget) -> None:
    (instance, *_) = target.instances("vault")
    life = target.lifetime(instance)
    assert life is not None
    assert life.id == "uid-of-vault-0/vaultvault-0"
    assert life.started == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()
    (box,) = [
        each
        for each in api.objects["/api/v1/namespaces/blinkchamber/pods"]["items"][0]["status"]["containerStatuses"]
        if each["name"] == "vault"
    ]
    box["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    assert open_target().lifetime(instance) is None


def test_the_last_answer_stands_while_the_api_is_away(
    api: Any, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = target.instances()
    monkeypatch.setattr("chaosblink.targets.kubernetes.listing.FRESH_S", 0.0)
    api.stop()
    assert target.instances() == before
    api.start()


def test_an_instance_is_found_by_its_dns_name() -> None:
    instance = Instance("redis-master-0", "redis", 0, "10.1.0.4", 6379, "worker")
    assert instance.is_at("redis-master-0.redis-masters.database.svc.cluster.local")
    assert instance.is_at("10.1.0.4")
    assert not instance.is_at("redis-master-01.redis-masters")
    assert not instance.is_at("10.1.0.40")


def test_endpoints_are_the_edges_service(target: KubernetesTarget) -> None:
    assert target.endpoint("identity") == ("10.96.0.7", 443)
    assert target.endpoint("postgresql") == ("10.96.0.7", 5432)
    with pytest.raises(PlatformError, match="no endpoint 'mail'"):
        target.endpoint("mail")


def test_a_log_holds_the_container_before_a_restart_too(api: Any) -> None:
    (first, *_) = api.objects["/api/v1/namespaces/database/pods"]["items"]
    first["status"] = fake_api.pod("redis-master-0", "redis", "10.1.0.4", restarts=1)["status"]
    asked: list[dict[str, list[str]]] = []

    def log(query: dict[str, list[str]]) -> str:
        asked.append(query)
        return "before\n" if query.get("previous") == ["true"] else "now\n"

    api.objects["/api/v1/namespaces/database/pods/redis-master-0/log"] = log
    target = open_target()
    (instance, *_) = target.instances("redis")
    assert target.log(instance) == "before\nnow\n"
    assert all(query["container"] == ["redis"] and "sinceSeconds" not in query for query in asked)
    target.log(instance, target.log_end(instance) - 10)
    assert 10 <= int(asked[-1]["sinceSeconds"][0]) <= 12


def test_secrets_come_from_the_suites_secret_alone(api: Any, target: KubernetesTarget) -> None:
    held = {"chaos-password": base64.b64encode(b"not-a-secret").decode()}
    api.objects["/api/v1/namespaces/chaosblink/secrets/blinkchamber-secrets"] = {"data": held}
    path = target.secret_file("chaos-password")
    assert path.read_text() == "not-a-secret"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(PlatformError, match="no secret 'root-token'"):
        target.secret("root-token")


def test_values_are_those_of_the_deployed_release(api: Any, target: KubernetesTarget) -> None:
    release = {"chart": {"values": {"a": {"b": 1, "c": 2}, "images": {}}}, "config": {"a": {"b": 3, "c": None}}}
    text = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    secret = {"metadata": {"labels": {"version": "2"}}, "data": {"release": base64.b64encode(text).decode()}}
    api.objects["/api/v1/secrets"] = {"items": [secret]}
    assert target.settings == {"a": {"b": 3}, "images": {}}
    with pytest.raises(PlatformError, match="name no images"):
        values.suite_image(target.settings)
    assert values.suite_image({"images": {"suite": {"repository": "r/suite", "tag": "1"}}}) == "r/suite:1"


# --- the lease and the token


def test_two_runs_exclude_each_other(api: Any, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    with target.hold():
        with pytest.raises(PlatformError, match="another run holds the platform"), open_target().hold():
            pytest.fail("two runs of one machine hold the platform")
        monkeypatch.setattr("platform.node", lambda: "somebody-else")
        with pytest.raises(PlatformError, match="another run holds the platform"), open_target().hold():
            pytest.fail("two runs hold the platform")
    assert api.objects[LEASE]["spec"]["holderIdentity"] == ""
    with open_target().hold():
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "somebody-else"


def _held_by(api: Any, holder: str, renewed: str) -> None:
    api.objects[LEASE]["spec"] = {"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": renewed}


def _ago(seconds: int) -> str:
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_run_that_is_over_holds_nothing(api: Any, target: KubernetesTarget) -> None:
    _held_by(api, "somebodys-machine", _ago(31))
    with target.hold():
        pass
    _held_by(api, "chaosblink-run-1-x", _ago(1))  # its pod is gone
    with target.hold():
        pass
    _held_by(api, "chaosblink-run-1-x", _ago(1))
    api.objects["/api/v1/namespaces/chaosblink/pods/chaosblink-run-1-x"] = {"status": {"phase": "Running"}}
    with pytest.raises(PlatformError, match="chaosblink-run-1-x"), target.hold():
        pytest.fail("a living run was passed over")


def test_the_lease_is_renewed(api: Any, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(lease, "RENEWED_EVERY_S", 0.1)
    with target.hold():
        first = api.objects[LEASE]["spec"]["renewTime"]
        until(lambda: api.objects[LEASE]["spec"]["renewTime"] > first, 5, "the lease is renewed")


def test_a_run_has_a_token_of_its_own_that_ends_with_it(api: Any, target: KubernetesTarget) -> None:
    seen = set()
    for _ in range(2):
        with target.hold():
            token = (target.state / "agent-token").read_text()
            assert (target.state / "agent-token").stat().st_mode & 0o777 == 0o600
            assert base64.b64decode(api.objects[TOKEN]["data"]["digest"]).decode() == digest(token)
            seen.add(token)
        assert api.objects[TOKEN]["data"]["digest"] == ""
        assert not (target.state / "agent-token").exists()
    assert len(seen) == 2
    assert not any(token in json.dumps(api.objects, default=str) for token in seen)


def test_no_lease_says_what_is_missing(api: Any, target: KubernetesTarget) -> None:
    del api.objects[LEASE]
    with pytest.raises(PlatformError, match="chaosblink allow --context"), target.hold():
        pytest.fail("held without a lease")


def test_the_api_is_asked_with_a_deadline(api: Any) -> None:
    assert isinstance(connect("blinkchamber"), Api)
    assert connect("blinkchamber").uid() == "cluster-uid"
    assert api.asked == [("GET", "/api/v1/namespaces/kube-system")]
