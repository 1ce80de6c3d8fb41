"""Pods, healthy: labels, requests and limits, probes, placement, and what each is not allowed to do."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from chaosblink.conformance import cluster
from chaosblink.targets import Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.listing import PORTS
from chaosblink.targets.kubernetes.workloads import COMPONENT

pytestmark = pytest.mark.only_on("kubernetes", "pods are objects of Kubernetes")

DEPENDS_ON_NOBODY = ("edge",)
"""Where to be alive is to be ready."""
PEERS_FAULTS_LAST_S = 60
"""A liveness probe must not kill a server for what its peers suffer, or for being frozen a while."""


def servers(target: Target, component: str) -> list[tuple[str, dict[str, Any]]]:
    """Name of each pod of a component and its server's container."""
    found = [pod for pod in cluster.serving(target) if pod["metadata"]["labels"].get(COMPONENT) == component]
    assert found, f"no pod of {component} runs"
    return [
        (cluster.called(pod), next(box for box in pod["spec"]["containers"] if box["name"] == component))
        for pod in found
    ]


def test_every_instance_carries_the_platforms_label(target: Target) -> None:
    """So that `kubectl get pods -A -l app.kubernetes.io/part-of=blinkchamber-platform` shows all of them."""
    label, value = names.PART_OF
    labelled = {
        pod["metadata"]["name"] for pod in cluster.pods(target) if pod["metadata"]["labels"].get(label) == value
    }
    assert {instance.name for instance in target.instances()} - labelled == set()


def test_every_pod_of_the_platforms_namespaces_carries_it_too(target: Target) -> None:
    label, value = names.PART_OF
    assert [cluster.called(p) for p in cluster.pods(target) if p["metadata"]["labels"].get(label) != value] == []


def test_every_container_asks_for_what_it_needs_and_has_a_limit(target: Target) -> None:
    lacking = [
        f"{cluster.called(pod)} {box['name']}: {kind} {what}"
        for pod in cluster.pods(target)
        for box in cluster.containers(pod)
        for kind in ("requests", "limits")
        for what in ("cpu", "memory")
        if what not in box.get("resources", {}).get(kind, {})
    ]
    assert lacking == []


@pytest.mark.parametrize("component", PORTS)
def test_requests_and_limits_are_those_of_the_values(target: Target, component: str) -> None:
    wanted = target.settings["resources"][component]
    for name, box in servers(target, component):
        assert box["resources"] == wanted, name


@pytest.mark.parametrize("component", PORTS)
def test_probes_ask_the_server(target: Target, component: str) -> None:
    """Whether it has started, whether it serves, and (another question) whether it is alive at all."""
    for name, box in servers(target, component):
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(box), name
        ready, alive = box["readinessProbe"], box["livenessProbe"]
        asks = ("httpGet", "exec", "tcpSocket")
        if component not in DEPENDS_ON_NOBODY:
            assert {key: ready.get(key) for key in asks} != {key: alive.get(key) for key in asks}, name
        assert ready["periodSeconds"] * ready["failureThreshold"] <= 20, f"{name} takes long to be seen unready"
        assert alive["periodSeconds"] * alive["failureThreshold"] >= PEERS_FAULTS_LAST_S, name


def by_workload(target: Target) -> dict[tuple[str, str], dict[str, str]]:
    """Node of every pod, by namespace and name of its workload."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for pod in cluster.serving(target):
        metadata = pod["metadata"]
        found[metadata["namespace"], metadata["labels"][cluster.NAME]][metadata["name"]] = pod["spec"]["nodeName"]
    assert len(found) >= len(PORTS)
    return found


def test_no_two_of_up_to_three_pods_share_a_node(target: Target) -> None:
    shared = {
        name: places
        for (_, name), places in by_workload(target).items()
        if len(places) <= 3 and len(set(places.values())) < len(places)
    }
    assert shared == {}


def test_a_redis_master_and_its_replica_never_share_a_node(target: Target) -> None:
    places = defaultdict(list)
    for instance in target.instances("redis"):
        places[instance.ordinal].append(instance.node)
    assert places
    assert {number: nodes for number, nodes in places.items() if len(set(nodes)) < len(nodes)} == {}


def test_the_suites_node_carries_nothing_of_the_platform(target: Target) -> None:
    if not target.settings["scheduling"]["avoidSuiteNode"]:
        pytest.skip("scheduling.avoidSuiteNode is false: the suite's node may carry what fits nowhere else")
    with cluster.asking(target) as client:
        answer = client.get("/api/v1/nodes", params={"labelSelector": f"{names.SUITE_NODE}=true"}).raise_for_status()
    suites = {node["metadata"]["name"] for node in answer.json()["items"]}
    assert suites
    assert [cluster.called(pod) for pod in cluster.serving(target) if pod["spec"]["nodeName"] in suites] == []


def test_no_container_may_more_than_serve(target: Target) -> None:
    """No root, no capability, no way to gain either, nothing of its own image written to."""
    for pod in cluster.pods(target):
        whole = pod["spec"].get("securityContext", {})
        for box in cluster.containers(pod):
            name, mine = f"{cluster.called(pod)} {box['name']}", box.get("securityContext", {})
            assert mine.get("runAsNonRoot", whole.get("runAsNonRoot")) is True, name
            assert mine.get("allowPrivilegeEscalation") is False, name
            assert mine.get("readOnlyRootFilesystem") is True, name
            assert mine.get("capabilities", {}).get("drop") == ["ALL"], name
            assert not mine.get("capabilities", {}).get("add"), name
            profile = mine.get("seccompProfile", whole.get("seccompProfile", {}))
            assert profile.get("type") == "RuntimeDefault", name


def test_no_namespace_of_the_platform_admits_more(target: Target) -> None:
    with cluster.asking(target) as client:
        for namespace in names.PLATFORM_NAMESPACES:
            labels = client.get(f"/api/v1/namespaces/{namespace}").raise_for_status().json()["metadata"]["labels"]
            assert labels.get("pod-security.kubernetes.io/enforce") == "restricted", namespace
