"""Faults by a cluster's API, against an API on loopback with controllers of its own: each bites, and is proven gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest

from chaosblink import faults
from chaosblink.checkers.proof import proven
from chaosblink.faults import driver, injection, journal, pods, reverter, token_revoke
from chaosblink.faults.effect import Effect, FaultError, Victim
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import residue, rollback, undo
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import listing
from chaosblink.targets.kubernetes.api import of_context
from chaosblink.targets.kubernetes.ownership import settled
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.waiting import Timeout
from tests.targets import fake_api
from tests.targets.fake_account import FakeAccount
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


# --- a Deployment scaled out and in


def test_a_pod_more_is_proven_by_its_uid_beside_those_that_were_there(
    identity: FakeDeployment, target: KubernetesTarget
) -> None:
    old, before = identity.uids(), time.monotonic_ns()
    effect = inject(target, "scale", "identity/*")
    (new,) = identity.uids() - old
    assert old < identity.uids()
    assert {entry["uid"] for entry in effect.proof["victims"]} == old
    assert {entry["beside"] for entry in effect.proof["victims"]} == {new}
    assert (effect.proof["ready_before"], effect.proof["ready_after"]) == (2, 3)
    assert proven(effect.proof) == ["zitadel-1", "zitadel-2"]
    assert before <= effect.t0 == effect.proof["bracket"]["earliest"] <= effect.proof["bracket"]["latest"]
    assert any("is to have 3 pods, not 2" in line for line in residue(target))
    assert rollback(target) == ["scale of identity/* (zitadel-1, zitadel-2): undone, nothing is left"]
    assert identity.scaled == [3, 2]
    assert len(identity.pods) == 2
    assert residue(target) == []


def test_an_upgrade_takes_a_scaled_number_back(identity: FakeDeployment, target: KubernetesTarget) -> None:
    inject(target, "scale", "identity/*")
    record = identity.item["metadata"]["managedFields"]
    assert [one["manager"] for one in record] == ["helm", "chaosblink-run"]
    assert settled(record, "helm") == record[:1]


@pytest.mark.parametrize("broken", [{"obeys": False}, {"controls": False}, {"starts_after": 10**6}])
def test_a_scaling_that_makes_no_pod_did_not_bite(
    identity: FakeDeployment, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch, broken: dict[str, Any]
) -> None:
    monkeypatch.setattr("chaosblink.faults.scaling.SCALED_S", 2.0)
    monkeypatch.setattr("chaosblink.faults.undo.HEAL_S", 0.5)
    for name, value in broken.items():
        setattr(identity, name, value)
    with pytest.raises(FaultError, match="zitadel has a pod more, ready: not within"):
        inject(target, "scale", "identity/*")
    assert identity.item["spec"]["replicas"] == 2


def test_a_pod_lost_meanwhile_is_no_pod_more(
    identity: FakeDeployment, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three are ready in the end, and one of them took the place of one that was there before."""
    monkeypatch.setattr("chaosblink.faults.scaling.SCALED_S", 2.0)
    monkeypatch.setattr("chaosblink.faults.undo.HEAL_S", 0.5)
    fault = driver.of(target, "scale")
    victims = fault.victims("identity/*", None)
    identity.end("zitadel-1")
    with pytest.raises(Timeout, match="has a pod more"):
        fault.fault("scale", 10, {}).inject(victims)
    assert len(identity.pods) == 3


def test_a_number_that_is_not_given_back_is_left_of_the_fault(
    identity: FakeDeployment, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(target, "scale", "identity/*")
    monkeypatch.setattr("chaosblink.faults.scaling.SCALED_S", 2.0)
    identity.obeys = False
    with pytest.raises(FaultError, match="zitadel is to have 3 pods, not 2"):
        rollback(target)
    assert [journal.load(place).status for place in journal.open_faults(target)] == ["failed"]
    identity.obeys = True
    rollback(target)
    assert residue(target) == []


def test_whoever_finds_the_journal_can_undo_it_without_the_run(
    identity: FakeDeployment, target: KubernetesTarget
) -> None:
    """As the reverter does: nothing but the entry on disk says what the number was."""
    inject(target, "scale", "identity/*")
    (place,) = journal.open_faults(target)
    another = KubernetesTarget(of_context(CONTEXT), "blinkchamber", "")
    assert "nothing is left" in undo(another, place)
    assert identity.item["spec"]["replicas"] == 2


def test_a_deployment_somebody_else_changes_is_not_scaled(identity: FakeDeployment, target: KubernetesTarget) -> None:
    identity.item["spec"]["replicas"] = 3
    identity.controls = False
    with pytest.raises(FaultError, match="somebody else is changing it"):
        inject(target, "scale", "identity/*")
    assert identity.scaled == []
    assert journal.open_faults(target) == []


def test_only_a_deployment_is_scaled(identity: FakeDeployment, target: KubernetesTarget) -> None:
    with pytest.raises(FaultError, match="one Deployment at a time, not postgresql"):
        inject(target, "scale", "postgresql/*")
    assert identity.scaled == []


# --- the injector away


REFUSED = 'failed calling webhook "vault.hashicorp.com": connection refused'
SLICES = "/apis/discovery.k8s.io/v1/namespaces/blinkchamber/endpointslices"


@pytest.fixture
def injector(identity: FakeDeployment) -> FakeDeployment:
    made = FakeDeployment(identity.api, "blinkchamber", "vault-agent-injector", "injector", 2)
    identity.api.objects[SLICES] = made.endpoints
    identity.refusal = lambda: "" if made.pods else REFUSED
    return made


def test_without_the_injector_a_deleted_pod_is_refused_another(
    identity: FakeDeployment, injector: FakeDeployment, target: KubernetesTarget
) -> None:
    old, injectors = identity.uids(), injector.uids()
    effect = inject(target, "injector-down", "identity/any", seed=1)
    (gone,) = effect.proof["victims"]
    assert identity.uids() == old - {gone["uid"]}
    assert injector.pods == {}
    assert set(effect.proof["gone"]) == injectors
    assert (effect.proof["refused"], effect.proof["made"], effect.proof["endpoints"]) == (REFUSED, [], 0)
    assert effect.proof["begun_at"] <= effect.t0 <= gone["gone_before"]
    assert proven(effect.proof) == [gone["instance"]]
    assert any("vault-agent-injector is to have 0 pods, not 2" in line for line in residue(target))
    rollback(target)
    assert injector.scaled == [0, 2]
    assert residue(target) == []


def test_a_pod_that_is_made_without_the_injector_is_told(
    identity: FakeDeployment, injector: FakeDeployment, target: KubernetesTarget
) -> None:
    identity.refusal = str
    effect = inject(target, "injector-down", "identity/any", seed=1)
    assert (effect.proof["refused"], len(effect.proof["made"])) == ("", 1)
    assert injector.pods == {}


def test_an_injector_that_stays_is_no_fault_and_no_pod_is_deleted(
    identity: FakeDeployment, injector: FakeDeployment, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.scaling.SCALED_S", 2.0)
    injector.obeys, old = False, identity.uids()
    with pytest.raises(FaultError, match="vault-agent-injector is away: no pod, no endpoint: not within"):
        inject(target, "injector-down", "identity/any", seed=1)
    assert identity.uids() == old


def test_where_nobody_tries_to_make_a_pod_nothing_was_refused(
    identity: FakeDeployment, injector: FakeDeployment, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.injector_down.TRIED_S", 0.5)
    identity.controls = False
    with pytest.raises(FaultError, match=r"another pod is refused or made: not within.*undone, nothing is left"):
        inject(target, "injector-down", "identity/any", seed=1)
    assert injector.scaled == [0, 2]


def test_pods_refused_for_another_reason_prove_nothing(
    identity: FakeDeployment, injector: FakeDeployment, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.injector_down.TRIED_S", 0.5)
    identity.refusal = lambda: "exceeded quota"
    with pytest.raises(FaultError, match="another pod is refused or made: not within"):
        inject(target, "injector-down", "identity/any", seed=1)
    assert injector.scaled == [0, 2]


def test_only_identity_is_injected(injector: FakeDeployment, target: KubernetesTarget) -> None:
    with pytest.raises(FaultError, match="only identity's pods are injected"):
        inject(target, "injector-down", "postgresql/any", seed=1)
    assert injector.scaled == []


# --- identity's tokens revoked


@pytest.fixture
def account(identity: FakeDeployment, monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    made = FakeAccount(identity.api, identity)
    monkeypatch.setattr(token_revoke, "admits", made.admits)
    monkeypatch.setattr("chaosblink.faults.token_revoke.REFUSED_S", 3.0)
    monkeypatch.setattr("chaosblink.faults.token_revoke.RESTARTED_S", 3.0)
    return made


def test_revoked_tokens_are_seen_refused_and_every_pod_gets_another(
    identity: FakeDeployment, account: FakeAccount, target: KubernetesTarget
) -> None:
    old, body = identity.uids(), account.body
    effect = inject(target, "token-revoke", "identity/*")
    assert identity.uids() == old
    assert account.rehearsed == 1
    assert effect.proof["account"] == {"revoked": "account-life-1", "now": "account-life-2"}
    assert proven(effect.proof) == ["zitadel-1", "zitadel-2"]
    assert {pod for _, pod in account.tokens.values()} == old
    assert account.body["metadata"] == body["metadata"]
    assert any("zitadel-1 holds a revoked token" in line for line in residue(target))
    rollback(target)
    assert not old & identity.uids()
    assert len(identity.pods) == 2
    assert identity.restarts == 1
    assert residue(target) == []


def test_no_token_reaches_the_journal(account: FakeAccount, target: KubernetesTarget) -> None:
    inject(target, "token-revoke", "identity/*")
    (place,) = journal.open_faults(target)
    assert len(account.tokens) == 2
    assert not [token for token in account.tokens if token in place.read_text()]


def test_a_vault_that_goes_on_letting_them_in_is_a_fault_that_did_not_bite(
    identity: FakeDeployment, account: FakeAccount, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.token_revoke.REFUSED_S", 0.7)
    account.forgetful, old = True, identity.uids()
    with pytest.raises(FaultError, match=r"Vault refuses every revoked token: not within.*undone, nothing is left"):
        inject(target, "token-revoke", "identity/*")
    assert not old & identity.uids()  # revoked they are, whatever Vault says


def test_a_vault_that_lets_nobody_in_leaves_nothing_to_revoke(
    identity: FakeDeployment, account: FakeAccount, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_revoke, "admits", lambda *_: False)
    with pytest.raises(FaultError, match="there is nothing to revoke"):
        inject(target, "token-revoke", "identity/*")
    assert (account.lives, account.there, identity.restarts) == (1, True, 0)


def test_a_vault_that_is_away_has_refused_nobody(account: FakeAccount, target: KubernetesTarget) -> None:
    account.away = True
    with pytest.raises(FaultError, match="neither yes nor no"):
        inject(target, "token-revoke", "identity/*")
    assert account.lives == 1


def test_an_account_that_cannot_be_made_again_is_left_of_the_fault_until_it_can(
    identity: FakeDeployment, account: FakeAccount, target: KubernetesTarget
) -> None:
    account.lost = True
    with pytest.raises(FaultError, match="the service account identity/zitadel is gone"):
        inject(target, "token-revoke", "identity/*")
    account.lost = False
    rollback(target)
    assert account.there
    assert identity.restarts == 1
    assert residue(target) == []


def test_an_account_that_was_not_touched_replaces_no_pod_when_it_is_undone(
    identity: FakeDeployment, account: FakeAccount, target: KubernetesTarget
) -> None:
    """A run that died between the journal and the fault."""
    driving = driver.of(target, "token-revoke")
    journal.plan(target, "token-revoke", {}, "identity/*", driving.victims("identity/*", None), 10)
    rollback(target)
    assert (account.lives, identity.restarts) == (1, 0)


def test_all_of_identity_and_nobody_else_shares_the_account(account: FakeAccount, target: KubernetesTarget) -> None:
    with pytest.raises(FaultError, match="all are victims"):
        inject(target, "token-revoke", "identity/any", seed=1)
    with pytest.raises(FaultError, match="only identity logs in"):
        inject(target, "token-revoke", "postgresql/*")
    assert account.lives == 1


@pytest.mark.parametrize(("status", "admitted"), [(200, True), (403, False), (500, None), (400, None)])
def test_only_a_403_is_a_refusal(
    cluster: FakeCluster, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch, status: int, admitted: bool | None
) -> None:
    shown: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        shown.append(body)
        return status, {"auth": {"client_token": "x"}} if status == 200 else {"errors": ["the-token is bad"]}

    cluster.api.acts["POST", "/v1/auth/kubernetes/login"] = answer
    monkeypatch.setattr("chaosblink.components.vault.Vault.client", lambda _: hvac.Client(cluster.api.address))
    if admitted is None:
        with pytest.raises(PlatformError, match="neither yes nor no") as raised:
            token_revoke.admits(target, "the-token")
        assert "the-token" not in str(raised.value)
    else:
        assert token_revoke.admits(target, "the-token") is admitted
    assert shown == [{"role": "app-role", "jwt": "the-token"}]


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
