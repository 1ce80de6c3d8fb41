"""Disruption, planned: budgets hold an eviction back, and a pod that is not ready gets no more requests."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chaosblink import components
from chaosblink.conformance import cluster
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import rollback
from chaosblink.targets import Target
from chaosblink.targets.kubernetes.listing import PORTS
from chaosblink.targets.kubernetes.workloads import COMPONENT
from chaosblink.waiting import until

pytestmark = pytest.mark.only_on("kubernetes", "evictions, budgets and Services are Kubernetes' own")

WHOLE_WITHIN_S = 120.0
NOTICED_WITHIN_S = 20.0
LEADING = ("leader", "primary", "master", "active")
BUDGETS = "apis/policy/v1:poddisruptionbudgets"


def budgets(target: Target, component: str) -> list[dict[str, Any]]:
    """The budgets of a component: one, and of Redis one each for what began as masters and as replicas."""
    found = [
        one
        for one in cluster.listed(target, BUDGETS)
        if one["spec"]["selector"]["matchLabels"].get(COMPONENT) == component
    ]
    assert found, f"{component} has no budget"
    return found


def covered(target: Target, budget: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods a budget selects."""
    wanted = budget["spec"]["selector"]["matchLabels"].items()
    inside = [pod for pod in cluster.serving(target) if wanted <= pod["metadata"]["labels"].items()]
    return [pod for pod in inside if pod["metadata"]["namespace"] == budget["metadata"]["namespace"]]


@pytest.mark.parametrize("component", PORTS)
def test_every_pod_is_covered_by_one_budget(target: Target, component: str) -> None:
    names = [pod["metadata"]["name"] for one in budgets(target, component) for pod in covered(target, one)]
    assert sorted(names) == sorted(instance.name for instance in target.instances(component))


def test_identitys_budget_is_that_of_the_values(target: Target) -> None:
    (budget,) = budgets(target, "identity")
    wanted = target.settings["zitadel"]["podDisruptionBudget"]
    assert {key: budget["spec"].get(key) for key in wanted} == wanted


@pytest.mark.parametrize("component", [name for name in PORTS if name != "identity"])
def test_one_may_be_away_at_a_time(target: Target, component: str) -> None:
    for budget in budgets(target, component):
        assert budget["spec"].get("maxUnavailable") == 1, budget["metadata"]["name"]


def evict(client: httpx.Client, pod: dict[str, Any], dry_run: bool) -> httpx.Response:
    """Ask for an eviction, as a drain does."""
    metadata = {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
    body: dict[str, Any] = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    if dry_run:
        body["deleteOptions"] = {"dryRun": ["All"]}
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
    return client.post(path, json=body, params={"dryRun": "All"} if dry_run else {})


@pytest.mark.disturbs
@pytest.mark.parametrize("component", PORTS)
def test_a_second_eviction_waits_for_the_first(target: Target, component: str) -> None:
    """One pod is evicted for real, one that leads nothing; until it is back, its fellows may not be."""
    budget = max(budgets(target, component), key=lambda one: one["status"]["expectedPods"])
    pods = covered(target, budget)
    if len(pods) < 2:
        pytest.skip(f"{component} has one pod here, so there is no second eviction")
    answer = components.of(target, component)
    roles = {instance.name: answer.role(instance) for instance in target.instances(component)}
    first, *others = sorted(pods, key=lambda pod: roles[pod["metadata"]["name"]] in LEADING)
    with cluster.asking(target) as client:
        assert evict(client, others[0], dry_run=True).status_code == 201, "nothing was away, and it was refused"
        assert evict(client, first, dry_run=False).status_code == 201
        try:
            codes = {pod["metadata"]["name"]: evict(client, pod, dry_run=True).status_code for pod in others}
        finally:
            until(lambda: replaced(target, first, budget), WHOLE_WITHIN_S, f"{cluster.called(first)} is replaced", 0.5)
            until(lambda: answer.redundant().ok, WHOLE_WITHIN_S, f"{component} is redundant", 0.5)
    assert set(codes.values()) == {429}, codes


def replaced(target: Target, gone: dict[str, Any], budget: dict[str, Any]) -> bool:
    """Whether the pod is another one and the budget has been told that all are there."""
    uids = {pod["metadata"]["uid"] for pod in cluster.serving(target)}
    now = next(
        one
        for one in cluster.listed(target, BUDGETS, (budget["metadata"]["namespace"],))
        if one["metadata"]["name"] == budget["metadata"]["name"]
    )
    return gone["metadata"]["uid"] not in uids and now["status"]["disruptionsAllowed"] >= 1


def addresses(target: Target, service: str, namespace: str) -> set[str]:
    """Where a Service sends requests: the ready endpoints."""
    slices = cluster.listed(target, "apis/discovery.k8s.io/v1:endpointslices", (namespace,))
    mine = [one for one in slices if one["metadata"]["labels"].get("kubernetes.io/service-name") == service]
    ready = [end for one in mine for end in one.get("endpoints") or [] if end["conditions"].get("ready")]
    return {address for end in ready for address in end["addresses"]}


@pytest.mark.disturbs
@pytest.mark.parametrize(
    ("component", "victim", "service", "namespace"),
    [
        ("identity", "identity/any", "zitadel", "identity"),
        ("edge", "edge/any", "edge", "ingress"),
        ("vault", "vault/standby", "vault", "blinkchamber"),
    ],
)
def test_a_pod_that_is_not_ready_leaves_its_service(
    target: Target, component: str, victim: str, service: str, namespace: str
) -> None:
    """A server is frozen: its Service no longer sends anybody there, and does again when it is thawed."""
    answer = components.of(target, component)
    everybody = {instance.address for instance in target.instances(component)}
    assert addresses(target, service, namespace) == everybody
    effect = inject(target, "pause", victim, ttl=60.0, seed=1)
    try:
        frozen = {victim.instance for victim in effect.victims}
        left = {instance.address for instance in target.instances(component) if instance.name not in frozen}
        noticed = f"{service} leaves out {', '.join(frozen)}"
        until(lambda: addresses(target, service, namespace) == left, NOTICED_WITHIN_S, noticed, 0.3)
    finally:
        rollback(target)
    until(lambda: addresses(target, service, namespace) == everybody, NOTICED_WITHIN_S, f"{service} has all again", 0.3)
    until(lambda: answer.redundant().ok, WHOLE_WITHIN_S, f"{component} is redundant", 0.5)
