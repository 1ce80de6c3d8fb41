"""Where the owner's document contradicts itself on Kubernetes: docs/findings.md 11 and 13."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from kubernetes import client, config

from chaosblink.targets import Target
from chaosblink.targets.local.layout import CHART

PART_OF = "app.kubernetes.io/part-of=blinkchamber-platform"
COMPONENT = "app.kubernetes.io/component"
REPLICATED = ("vault", "postgresql", "redis", "sentinel", "identity")


def context(target: Target) -> str | None:
    """The kubeconfig context of the cluster; None inside one."""
    return getattr(target, "context", None)


@pytest.mark.only_on("kubernetes", "a PodDisruptionBudget is an object of Kubernetes")
@pytest.mark.parametrize("component", REPLICATED)
def test_11_a_disruption_budget_protects(target: Target, component: str) -> None:
    with config.new_client_from_config(context=context(target)) as connected:
        listed = client.PolicyV1Api(connected).list_pod_disruption_budget_for_all_namespaces(
            label_selector=PART_OF, _request_timeout=10
        )
        budgets = connected.sanitize_for_serialization(listed)["items"]
    mine = [one for one in budgets if one["spec"]["selector"]["matchLabels"].get(COMPONENT) == component]
    assert len(mine) == 1, f"{component}: {[one['metadata']['name'] for one in mine]}"
    assert mine[0]["status"]["expectedPods"] == len(target.instances(component))
    assert mine[0]["status"]["disruptionsAllowed"] == 1, f"{component}: {mine[0]['status']}"


@pytest.mark.only_on("kubernetes", "values belong to a release of Helm")
def test_13_an_upgrade_without_reuse_values_forgets_the_others(target: Target) -> None:
    """Only computed, not carried out: the values with which `--dry-run` would replace those of the release."""
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
    where = ["--kube-context", name] if (name := context(target)) else []
    done = subprocess.run(["helm", *arguments, *where], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, " ".join(done.stderr.split())[:300]
    return dict(json.loads(done.stdout) or {})
