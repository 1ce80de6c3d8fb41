"""Where the owner's document contradicts itself on Kubernetes: docs/findings.md 11 and 13."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any, cast

import pytest

from chaosblink.targets import Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Json
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.targets.local.layout import CHART

COMPONENT = "app.kubernetes.io/component"
REPLICATED = ("vault", "postgresql", "redis", "sentinel", "identity")


def budgets(target: Target) -> list[Json]:
    """Every disruption budget of the platform."""
    api = cast(KubernetesTarget, target).api
    return [
        one
        for namespace in names.PLATFORM_NAMESPACES
        for one in api.ask(
            f"list disruption budgets in {namespace}", api.policy.list_namespaced_pod_disruption_budget, namespace
        )["items"]
    ]


@pytest.mark.only_on("kubernetes", "a PodDisruptionBudget is an object of Kubernetes")
@pytest.mark.parametrize("component", REPLICATED)
def test_11_a_disruption_budget_protects(target: Target, component: str) -> None:
    mine = [one for one in budgets(target) if one["spec"]["selector"]["matchLabels"].get(COMPONENT) == component]
    assert sum(one["status"]["expectedPods"] for one in mine) == len(target.instances(component))
    for one in mine:  # of Redis two: what began as masters, and as replicas
        assert one["status"]["disruptionsAllowed"] == 1, f"{one['metadata']['name']}: {one['status']}"


@pytest.mark.only_on("kubernetes", "values belong to a release of Helm")
def test_13_an_upgrade_without_reuse_values_forgets_the_others(target: Target) -> None:
    """Only computed, not carried out: the values with which `--dry-run` would replace those of the release."""
    if names.inside():
        pytest.skip("Helm's record of its release is a Secret that a run's account may not read")
    if shutil.which("helm") is None:
        pytest.skip("the program helm is not installed here")
    given = helm(target, "get", "values", "blinkchamber", "--output", "json")
    assert given, "the release was installed without a value of its own, so there is nothing to forget"
    change = ["upgrade", "blinkchamber", str(CHART), "--dry-run=server", "--output", "json"]
    change += ["--set", "postgresql-ha.postgresql.replicaCount=5"]
    forgetful = helm(target, *change)["config"]
    careful = helm(target, *change, "--reuse-values")["config"]
    assert set(forgetful) == {"postgresql-ha"}
    assert set(given) <= set(careful)


def helm(target: Target, *arguments: str) -> dict[str, Any]:
    """Helm's JSON answer about the release."""
    where = ["--kube-context", cast(KubernetesTarget, target).api.cluster]
    done = subprocess.run(["helm", *arguments, *where], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, " ".join(done.stderr.split())[:300]
    return dict(json.loads(done.stdout) or {})
