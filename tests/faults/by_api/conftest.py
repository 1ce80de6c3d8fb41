"""What the tests of faults by a cluster's API share: an API on loopback with controllers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosblink.faults import reverter
from chaosblink.targets.kubernetes import listing
from chaosblink.targets.kubernetes.api import of_context
from chaosblink.targets.kubernetes.target import KubernetesTarget
from tests.targets import fake_api
from tests.targets.fake_cluster import FakeCluster
from tests.targets.fake_deployment import FakeDeployment

CONTEXT = "kind-somewhere"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    api = fake_api.FakeApi(fake_api.platform())
    api.start()
    api.kubeconfig(tmp_path / "kubeconfig", CONTEXT)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("CHAOSBLINK_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(listing, "FRESH_S", 0.0)
    monkeypatch.setattr(reverter, "arm", lambda _place: None)
    yield FakeCluster(api)
    api.stop()


@pytest.fixture
def identity(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeDeployment:
    monkeypatch.setattr(listing, "WORKLOADS_FRESH_S", 0.0)
    return FakeDeployment(cluster.api, "identity", "zitadel", "identity", 2)


@pytest.fixture
def target(cluster: FakeCluster) -> KubernetesTarget:
    assert cluster
    return KubernetesTarget(of_context(CONTEXT), "blinkchamber", "")
