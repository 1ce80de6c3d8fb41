"""The injector taken away by the API: whether a pod is refused another is seen, and it comes back."""

from __future__ import annotations

import pytest

from chaosblink.checkers.proof import proven
from chaosblink.faults.effect import FaultError
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import residue, rollback
from chaosblink.targets.kubernetes.target import KubernetesTarget
from tests.targets.fake_deployment import FakeDeployment

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
