"""What conformance tests ask of a cluster: whole lists or none, every namespace's secrets, a server's environment."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosblink.conformance import cluster, exposure
from chaosblink.conformance.inside import inside
from chaosblink.targets import Instance, PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import of_context
from chaosblink.targets.kubernetes.target import KubernetesTarget
from tests.targets import fake_api

SERVER = Instance("vault-0", "vault", 0, "10.1.0.2", 8200, "worker")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fake_api.FakeApi]:
    made = fake_api.FakeApi(fake_api.platform())
    made.start()
    made.kubeconfig(tmp_path / "kubeconfig", "somewhere")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("CHAOSBLINK_STATE", str(tmp_path / "state"))
    yield made
    made.stop()


@pytest.fixture
def target(api: fake_api.FakeApi) -> KubernetesTarget:
    """The platform of the API."""
    assert api.objects
    return KubernetesTarget(of_context("somewhere"), "blinkchamber", "--context somewhere")


def test_the_suites_stranger_is_no_pod_of_the_platform(api: fake_api.FakeApi, target: KubernetesTarget) -> None:
    path = "/api/v1/namespaces/identity/pods"
    api.objects[path]["items"].append(fake_api.pod(names.STRANGER, "none", "10.1.0.77"))
    found = {pod["metadata"]["name"] for pod in cluster.pods(target)}
    assert "zitadel-abc-1" in found
    assert names.STRANGER not in found


def test_what_a_job_left_does_not_serve(target: KubernetesTarget) -> None:
    found = {pod["metadata"]["name"] for pod in cluster.serving(target)}
    assert "vault-setup-x1" not in found
    assert "vault-0" in found


def test_a_list_that_is_refused_is_no_empty_list(api: fake_api.FakeApi, target: KubernetesTarget) -> None:
    api.refused.add("/api/v1/namespaces/ingress/pods")
    with pytest.raises(PlatformError, match="pods in namespace ingress was answered 403"):
        cluster.listed(target, "api/v1:pods")


def test_another_platform_is_in_no_cluster() -> None:
    class Elsewhere:
        name = "x"

    other: Any = Elsewhere()
    with pytest.raises(PlatformError, match="in no cluster"):
        cluster.of(other)


def test_secrets_of_every_namespace_are_searched_for(api: fake_api.FakeApi, target: KubernetesTarget) -> None:
    for number, namespace in enumerate((*names.PLATFORM_NAMESPACES, names.NAMESPACE)):
        text = base64.b64encode(f"a-secret-of-{namespace}".encode()).decode()
        api.objects[f"/api/v1/namespaces/{namespace}/secrets/{names.SECRETS}"] = {"data": {f"secret-{number}": text}}
    api.objects["/api/v1/namespaces/blinkchamber/secrets/vault-init"] = {"data": {}}
    secrets = exposure.writings(target)
    assert len(set(secrets.values())) == 5
    assert exposure.named_in(b"it is a-secret-of-identity", secrets) == ["secret-2"]


def test_a_namespace_whose_secrets_cannot_be_read_is_no_pass(api: fake_api.FakeApi, target: KubernetesTarget) -> None:
    assert api.objects
    with pytest.raises(PlatformError):
        exposure.writings(target)


def answering(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever is run in a pod say this."""
    monkeypatch.setattr(KubernetesTarget, "output_of", lambda *_: text)


def test_the_environment_of_every_process_is_looked_at(
    target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering("\1/proc/1\0A=1\0MANY=lines\nof it\0\1/proc/7\0B=2\0\1/proc/9\0", monkeypatch)
    found = exposure.environments(target, SERVER)
    assert found == {"/proc/1": b"A=1\0MANY=lines\nof it\0", "/proc/7": b"B=2\0"}
    assert inside(target, SERVER, ["anything"]).startswith("\1")


def test_without_the_servers_own_process_nothing_was_seen(
    target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is left may be the shell that looked."""
    answering("\1/proc/1\0\1/proc/7\0B=2\0", monkeypatch)
    with pytest.raises(RuntimeError, match="no process"):
        exposure.environments(target, SERVER)
