"""The owner's value keys do what they say, and values that make no sense are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import helm_python as helm
import pytest

from chaosblink.targets.local.layout import CHART
from tests.chart.conftest import Objects, env, pod_templates

Render = Callable[[str], Objects]


def workload(objects: Objects, name: str) -> dict[str, Any]:
    """The StatefulSet or Deployment of this name."""
    (found,) = [i for i in objects if i["kind"] in ("StatefulSet", "Deployment") and i["metadata"]["name"] == name]
    return found


def names(peers: str) -> list[str]:
    """The names in a PEERS list."""
    return [entry.partition("=")[0] for entry in peers.split()]


def test_lint_finds_nothing() -> None:
    report = helm.lint(CHART, {}, strict=True, namespace="blinkchamber", kube_version="v1.34.4")
    assert report["total_charts_linted"] == 1
    assert not report["errors"]
    assert not [m for m in report["messages"] if m["severity"] > 1]


@pytest.mark.parametrize(
    ("key", "name", "variable"),
    [
        ("vault.server.ha.replicas", "vault", "PEERS"),
        ("postgresql-ha.postgresql.replicaCount", "postgresql-ha-postgresql", "PEERS"),
        ("redis.sentinel.replicaCount", "redis-sentinel", "PEERS"),
    ],
)
@pytest.mark.parametrize("count", [3, 5])
def test_peers_name_every_pod(render: Render, key: str, name: str, variable: str, count: int) -> None:
    item = workload(render(f"{key}={count}"), name)
    assert item["spec"]["replicas"] == count
    peers = env(item["spec"]["template"])[variable]
    assert names(peers) == [f"{name}-{ordinal}" for ordinal in range(count)]
    service = item["spec"]["serviceName"]
    for entry in peers.split():
        pod, _, host = entry.partition("=")
        assert host == f"{pod}.{service}.{item['metadata']['namespace']}.svc.cluster.local"


@pytest.mark.parametrize("count", [3, 5])
def test_who_depends_on_a_cluster_knows_all_of_it(render: Render, count: int) -> None:
    pods = pod_templates(
        render(
            f"postgresql-ha.postgresql.replicaCount={count},redis.master.replicaCount={count},"
            f"vault.server.ha.replicas={count},redis.sentinel.replicaCount={count}"
        )
    )
    setup = next(pod for name, pod in pods.items() if name.startswith("vault-setup-"))
    assert len(names(env(setup)["PEERS"])) == count
    assert len(names(env(pods["postgresql-ha-pgpool"])["BACKENDS"])) == count
    assert names(env(pods["redis-sentinel"])["MASTERS"]) == [f"set-{number + 1}" for number in range(count)]
    for name in ("redis-master", "redis-replica"):
        assert len(names(env(pods[name])["SENTINELS"])) == count
        assert len(names(env(pods[name])["PEERS"])) == 2 * count
        assert env(pods[name])["SETS"] == str(count)
    assert len(names(env(pods["edge"])["SENTINELS"])) == len(names(env(pods["edge"])["VAULT"])) == count


def test_more_masters_bring_their_replicas_along(render: Render) -> None:
    objects = render("redis.master.replicaCount=5")
    assert workload(objects, "redis-replica")["spec"]["replicas"] == 5


def test_set_1_has_its_second_replica(render: Render) -> None:
    edge = env(pod_templates(render("redis.replica.replicaCount=6"))["edge"])
    assert names(edge["REDIS_SET1"]) == ["redis-master-0", "redis-replica-0", "redis-replica-3"]


def test_zitadel_is_scaled_and_protected_by_the_owners_keys(render: Render) -> None:
    objects = render("zitadel.replicaCount=4,zitadel.podDisruptionBudget.minAvailable=2")
    assert workload(objects, "zitadel")["spec"]["replicas"] == 4
    budgets = [i for i in objects if i["kind"] == "PodDisruptionBudget"]
    (budget,) = [i for i in budgets if i["metadata"]["name"] == "zitadel"]
    assert budget["spec"]["minAvailable"] == 2


def test_three_never_share_a_node_and_five_only_prefer_not_to(render: Render) -> None:
    for count, expected in ((3, "DoNotSchedule"), (5, "ScheduleAnyway")):
        item = workload(render(f"postgresql-ha.postgresql.replicaCount={count}"), "postgresql-ha-postgresql")
        (spread,) = item["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", expected)


def test_a_master_and_its_replica_never_share_a_node(render: Render) -> None:
    for name in ("redis-master", "redis-replica"):
        apart = workload(render(""), name)["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
        (term,) = apart["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["matchLabelKeys"] == ["apps.kubernetes.io/pod-index"]
        assert term["labelSelector"] == {"matchLabels": {"app.kubernetes.io/component": "redis"}}


def test_the_suites_node_is_avoided_as_told(render: Render) -> None:
    for pod in pod_templates(render("scheduling.avoidSuiteNode=true")).values():
        affinity = pod["spec"]["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [{"key": "chaosblink.io/suite", "operator": "NotIn", "values": ["true"]}]
    for pod in pod_templates(render("")).values():
        assert "preferredDuringSchedulingIgnoredDuringExecution" in pod["spec"]["affinity"]["nodeAffinity"]


def test_a_changed_job_has_another_name(render: Render) -> None:
    jobs = {
        next(i["metadata"]["name"] for i in render(sets) if i["kind"] == "Job")
        for sets in ("", "vault.server.ha.replicas=5", "images.openbao.tag=other")
    }
    assert len(jobs) == 3


def test_identity_gets_every_secret_by_file_from_the_injector(render: Render) -> None:
    pod = pod_templates(render(""))["zitadel"]
    annotations = pod["metadata"]["annotations"]
    prefix = "vault.hashicorp.com/agent-inject-secret-"
    files = {key.removeprefix(prefix) for key in annotations if key.startswith(prefix)}
    script = (CHART / "files" / "identity" / "start.sh").read_text()
    assert files == set(script.split("for name in ")[1].split(";")[0].split())
    for name in files:
        path = annotations[prefix + name]
        assert path.startswith("secret/data/")
        assert path in annotations[f"vault.hashicorp.com/agent-inject-template-{name}"]
        assert annotations[f"vault.hashicorp.com/agent-inject-perms-{name}"] == "0400"
    assert annotations["vault.hashicorp.com/role"] == "app-role"
    assert not [v for v in pod["spec"]["volumes"] if "secret" in v]


@pytest.mark.parametrize(
    "sets",
    [
        "vault.server.ha.replicas=4",
        "redis.sentinel.replicaCount=2",
        "redis.sentinel.enabled=false",
        "redis.architecture=standalone",
        "postgresql-ha.postgresql.replicaCount=0",
        "zitadel.replicas=3",
        "zitadel.podDisruptionBudget.maxUnavailable=1",
        "images.redis.tag=latest",
        "resources.redis.limits.memory=lots",
    ],
)
def test_values_that_make_no_sense_are_refused(render: Render, sets: str) -> None:
    with pytest.raises(helm.HelmError):
        render(sets)


def test_replicas_that_cannot_be_shared_evenly_are_refused(render: Render) -> None:
    with pytest.raises(helm.HelmRenderError, match="cannot be shared evenly"):
        render("redis.replica.replicaCount=4")
