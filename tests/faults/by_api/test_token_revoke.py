"""Identity's tokens revoked by the API: Vault is seen to refuse them, and every pod gets another."""

from __future__ import annotations

from typing import Any

import hvac
import pytest

from chaosblink.checkers.proof import proven
from chaosblink.faults import driver, journal, token_revoke
from chaosblink.faults.effect import FaultError
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import residue, rollback
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.target import KubernetesTarget
from tests.targets.fake_account import FakeAccount
from tests.targets.fake_cluster import FakeCluster
from tests.targets.fake_deployment import FakeDeployment


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
