"""Pods deleted, rolled and drained by the API: each fault bites, and is proven gone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chaosblink import faults
from chaosblink.checkers.proof import proven
from chaosblink.faults import driver, injection, journal, pods
from chaosblink.faults.effect import Effect, FaultError, Victim
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import residue, rollback
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.target import KubernetesTarget
from tests.targets import fake_api
from tests.targets.fake_cluster import FakeCluster


def told(effect: Effect) -> dict[str, Any]:
    """A proof's entries by instance."""
    return {entry["instance"]: entry for entry in effect.proof["victims"]}


# --- pods deleted


def test_a_deleted_pod_is_proven_gone_by_its_uid(cluster: FakeCluster, target: KubernetesTarget) -> None:
    old, before = cluster.uid("postgresql-0"), time.monotonic_ns()
    effect = inject(target, "pod-delete", "postgresql/any", seed=1)
    (name,) = told(effect)
    assert told(effect)[name]["uid"] != cluster.uid(name)
    assert name != "postgresql-0" or told(effect)[name]["uid"] == old
    assert before <= effect.t0 <= told(effect)[name]["ending_before"] <= told(effect)[name]["gone_before"]
    assert proven(effect.proof) == [name]
    assert cluster.grace == [30]
    assert rollback(target) == [f"pod-delete of postgresql/any ({name}): undone, nothing is left"]
    assert residue(target) == []


def test_by_force_no_grace_is_given(cluster: FakeCluster, target: KubernetesTarget) -> None:
    effect = inject(target, "pod-delete", "postgresql/*", force=True)
    assert cluster.grace == [0, 0, 0]
    assert effect.proof["force"] is True
    assert proven(effect.proof) == ["postgresql-0", "postgresql-1", "postgresql-2"]


def test_a_pod_that_took_over_a_name_is_not_deleted(cluster: FakeCluster, target: KubernetesTarget) -> None:
    fault = driver.of(target, "pod-delete")
    victims = fault.victims("postgresql/*", None)
    cluster._replace("postgresql-0")
    with pytest.raises(PlatformError, match="conflict"):
        fault.fault("pod-delete", 10, {}).inject(victims)
    assert cluster.grace == []


def test_a_pod_that_is_not_replaced_is_left_of_the_fault(
    cluster: FakeCluster, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.undo.HEAL_S", 0.3)
    cluster.replaces = False
    inject(target, "pod-delete", "postgresql/*")
    with pytest.raises(FaultError, match=r"something is left: postgresql-0 is down; postgresql-1 is down"):
        rollback(target)
    assert [journal.load(place).status for place in journal.open_faults(target)] == ["failed"]


def test_a_pod_that_does_not_end_is_a_fault_that_did_not_bite(
    cluster: FakeCluster, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.pod_delete.GONE_S", 0.3)
    monkeypatch.setattr("chaosblink.faults.undo.HEAL_S", 0.3)
    cluster.ends_after = 10**6
    with pytest.raises(FaultError, match="the old pod postgresql-0 is still ending"):
        inject(target, "pod-delete", "postgresql/*")


def test_an_instance_without_a_pod_is_no_victim(cluster: FakeCluster, target: KubernetesTarget) -> None:
    cluster.pods["postgresql-1"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(FaultError, match="postgresql-1 is already down"):
        inject(target, "pod-delete", "postgresql/*")
    assert journal.open_faults(target) == []


# --- workloads rolled anew


def test_every_pod_is_replaced_and_the_rollout_seen_to_end(cluster: FakeCluster, target: KubernetesTarget) -> None:
    old = {name: cluster.uid(name) for name in cluster.pods}
    effect = inject(target, "rolling-restart", "postgresql/*")
    assert {name: entry["uid"] for name, entry in told(effect).items()} == old
    assert not set(old.values()) & {cluster.uid(name) for name in cluster.pods}
    assert effect.proof["rolled_out"] == ["postgresql"]
    rollback(target)


def test_a_rollout_that_replaces_nobody_did_not_bite(
    cluster: FakeCluster, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.undo.HEAL_S", 0.3)
    cluster.replaces = False
    with pytest.raises(FaultError, match="postgresql-0, postgresql-1, postgresql-2 was not replaced"):
        inject(target, "rolling-restart", "postgresql/*")


def test_a_rollout_that_does_not_end_is_left_of_the_fault(cluster: FakeCluster, target: KubernetesTarget) -> None:
    inject(target, "rolling-restart", "postgresql/*")
    cluster.set["status"]["updatedReplicas"] = 2
    victims = journal.load(journal.open_faults(target)[0]).victims
    left = driver.of(target, "rolling-restart").fault("rolling-restart", 10, {}).residue(victims)
    assert left == ["postgresql is not rolled out"]


# --- a node drained


def test_a_drained_node_is_cordoned_empty_and_taken_back(cluster: FakeCluster, target: KubernetesTarget) -> None:
    cluster.budget = 3
    effect = inject(target, "drain", "postgresql/* without postgresql/any:2", seed=2)
    (name,) = told(effect)
    number = int(effect.proof["node"][-1])
    assert (name, cluster.node(number)["spec"]["unschedulable"]) == (f"postgresql-{number}", True)
    assert cluster.pods[name] == {}
    assert effect.proof["refused_by_budgets"] == 3
    left = residue(target)
    assert any(f"worker{number} is still cordoned" in line for line in left)
    assert any(f"{name} is down" in line for line in left)
    rollback(target)
    assert cluster.cordoned == [True, False]
    assert residue(target) == []


def test_what_is_beside_the_instances_is_evicted_too(cluster: FakeCluster, target: KubernetesTarget) -> None:
    extra = fake_api.pod("injector-x", "injector", "10.1.0.20", owner="ReplicaSet")
    extra["spec"]["nodeName"] = "worker0"
    cluster.pods["injector-x"] = extra
    cluster._serve("/api/v1/namespaces/database/pods/injector-x", "injector-x")
    over = fake_api.pod("setup-x", "setup", "10.1.0.21", owner="Job")
    over["spec"]["nodeName"] = "worker0"
    cluster.pods["setup-x"] = over
    fault = driver.of(target, "drain")
    victims = [v for v in driver.of(target, "pod-delete").victims("postgresql/*", None) if v.place["node"] == "worker0"]
    effect = fault.fault("drain", 10, {}).inject(victims)
    assert list(told(effect)) == ["postgresql-0", "injector-x"]
    assert cluster.pods["setup-x"] == over


def test_a_budget_that_never_allows_it_ends_the_drain_and_the_node_is_taken_back(
    cluster: FakeCluster, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.drain.DRAINED_S", 0.5)
    cluster.budget = 10**6
    with pytest.raises(FaultError, match=r"is drained: not within.*undone, nothing is left"):
        inject(target, "drain", "postgresql/any", seed=1)
    assert cluster.cordoned == [True, False]


def test_the_suites_node_is_never_drained(cluster: FakeCluster, target: KubernetesTarget) -> None:
    for found in cluster.pods.values():
        found["spec"]["nodeName"] = "worker3"
    with pytest.raises(FaultError, match="worker3 carries the suite itself"):
        inject(target, "drain", "postgresql/any", seed=1)
    assert cluster.cordoned == []


def test_a_node_somebody_else_cordoned_is_not_drained(cluster: FakeCluster, target: KubernetesTarget) -> None:
    for number in range(3):
        cluster.node(number)["spec"]["unschedulable"] = True
    with pytest.raises(FaultError, match="cordoned already, by somebody else"):
        inject(target, "drain", "postgresql/any", seed=1)
    rollback(target)
    assert cluster.cordoned == []  # neither cordoned nor, by an undo, taken back from whoever did it
    assert journal.open_faults(target) == []
    assert cluster.grace == []


def test_no_node_that_fits_is_an_error(cluster: FakeCluster, target: KubernetesTarget) -> None:
    assert cluster
    with pytest.raises(FaultError, match="names no node now"):
        inject(target, "drain", "postgresql/* without postgresql/*")


# --- where there is no cluster


def test_without_a_cluster_there_are_no_such_faults(target: KubernetesTarget) -> None:
    class Local:
        kind = "local"

    for fault in faults.OF_CLUSTER:
        assert driver.of(target, fault)
        with pytest.raises(FaultError, match=f"{fault} needs a cluster"):
            driver.of(Local(), fault)  # type: ignore[arg-type]
    assert injection.TTL_S > 0


def test_victims_survive_the_journal(target: KubernetesTarget) -> None:
    victims = driver.of(target, "pod-delete").victims("postgresql/*", None)
    entry = journal.plan(target, "pod-delete", {}, "postgresql/*", victims, 10)
    read = journal.load(journal.path(target, entry.id)).victims
    assert read == victims
    assert pods.workloads(read) == [("StatefulSet", "database", "postgresql")]
    assert all(isinstance(victim, Victim) for victim in read)
