"""The chart as it would reach a cluster, for several sets of values; no cluster is needed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import helm_python as helm
import pytest
import yaml

from chaosblink.targets.kubernetes.release import NAMESPACE, RELEASE
from chaosblink.targets.local.layout import CHART

Objects = list[dict[str, Any]]

CA = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()

VARIANTS = {
    "default": "",
    "kind": "scheduling.avoidSuiteNode=true,scheduling.tolerateControlPlane=true",
    "larger": "postgresql-ha.postgresql.replicaCount=5,redis.master.replicaCount=5,vault.server.ha.replicas=5,"
    "zitadel.replicaCount=3,redis.sentinel.replicaCount=5,postgresql-ha.pgpool.replicaCount=3",
    "two replicas a master": "redis.replica.replicaCount=6",
    "products of others": "vault.enabled=false,zitadel.enabled=false,injector.enabled=false",
    "by hand": "vault.setup.enabled=false,network.policies=false,scheduling.separateNodes=false",
}


@pytest.fixture(scope="session")
def chart() -> Iterator[helm.Chart]:
    """The chart, read once."""
    with helm.Chart.load(CHART) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def render(chart: helm.Chart) -> Callable[[str], Objects]:
    """`render("a.b=1,c=2")`: every object of the chart, in no order."""

    def rendered(sets: str = "") -> Objects:
        values = helm.parse_set_string(sets) if sets else {}
        values["tls"] = {"caBundle": CA}
        chart.validate_schema(values)
        texts = chart.render(values, name=RELEASE, namespace=NAMESPACE)
        documents = [d for name, text in texts.items() if not name.endswith(".txt") for d in yaml.safe_load_all(text)]
        return [document for document in documents if document]

    return rendered


@pytest.fixture(scope="session", params=list(VARIANTS.values()), ids=list(VARIANTS))
def objects(request: pytest.FixtureRequest, render: Callable[[str], Objects]) -> Objects:
    """Every object, for each variant of the values in turn."""
    found = render(request.param)
    assert found
    return found


def of_kind(objects: Objects, *kinds: str) -> Objects:
    """The objects of these kinds; at least one."""
    found = [item for item in objects if item["kind"] in kinds]
    assert found, f"no {kinds}"
    return found


def pod_templates(objects: Objects) -> dict[str, dict[str, Any]]:
    """Workload name -> pod (metadata and spec), of every workload, Job and test pod."""
    found = {
        item["metadata"]["name"]: item["spec"]["template"] for item in objects if "template" in item.get("spec", {})
    }
    found |= {item["metadata"]["name"]: item for item in objects if item["kind"] == "Pod"}
    assert found
    return found


def container(pod: dict[str, Any]) -> dict[str, Any]:
    """The one container of a pod."""
    (only,) = pod["spec"]["containers"]
    return only


def env(pod: dict[str, Any]) -> dict[str, str]:
    """Variables of the pod's container that have a value in the chart."""
    return {entry["name"]: entry["value"] for entry in container(pod)["env"] if "value" in entry}
