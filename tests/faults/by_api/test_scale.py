"""A Deployment scaled out and in by the API: it bites, and is proven gone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chaosblink.checkers.proof import proven
from chaosblink.faults import driver, journal
from chaosblink.faults.effect import FaultError
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import residue, rollback, undo
from chaosblink.targets.kubernetes.api import of_context
from chaosblink.targets.kubernetes.ownership import settled
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.waiting import Timeout
from tests.faults.by_api.conftest import CONTEXT
from tests.targets.fake_deployment import FakeDeployment


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
