"""Vault by hand: read a secret, back it up, restore it into a fresh one, initialise and unseal one."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from functools import partial

import pytest

from chaosblink.conformance import cluster
from chaosblink.procedures.fresh_vault import fresh_vault, initialise
from chaosblink.procedures.kubectl import Kubectl, Where, executing, with_secret
from chaosblink.targets import Target
from chaosblink.waiting import until

pytestmark = pytest.mark.only_on("kubernetes", "the owner's commands are kubectl's and Helm's")

LIVE: Where = ("blinkchamber", "vault-0")
SNAPSHOT = "backup.snap"


def digest(text: str) -> str:
    """What may be shown when two secrets differ."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:12]


def as_application(kubectl: Kubectl) -> str:
    """A token of Vault's, as identity gets it: by the token of its service account."""
    shown = kubectl("create", "token", "zitadel", "-n", "identity", "--duration=10m").strip()
    given = json.dumps({"role": "app-role", "jwt": shown})
    return kubectl.inside(LIVE, "vault", "write", "-field=token", "auth/kubernetes/login", "-", given=given + "\n")


def log_in(kubectl: Kubectl, target: Target, role: str, where: Where = LIVE) -> str:
    """A token of an AppRole's, with what set-up kept of it: the suite's for the suite, all others' for their owner."""
    kept = target.secret if role == "chaos" else partial(of_the_owner, target)
    given = json.dumps({f"{half}_id": kept(f"{role}-{half}-id") for half in ("role", "secret")})
    return kubectl.inside(where, "vault", "write", "-field=token", "auth/approle/login", "-", given=given + "\n")


def of_the_owner(target: Target, name: str) -> str:
    """What Vault's set-up kept where only the platform's owner may read it."""
    return cluster.of(target).api.secret("blinkchamber", "vault-init")[name].decode().strip()


def as_holder(kubectl: Kubectl, where: Where, token: str, *command: str) -> str:
    """A command of `vault` with a token."""
    return kubectl.inside(where, *with_secret("VAULT_TOKEN", "vault", *command), given=token.strip() + "\n")


def test_kv_get_reads_a_secret_by_its_corrected_path(target: Target, kubectl: Kubectl) -> None:
    """Finding 8: as the document has it, `data` stands twice in what is asked for."""
    token = as_application(kubectl)
    command = with_secret("VAULT_TOKEN", "vault", "kv", "get", "secret/data/postgres")
    written = kubectl.tried(*executing(LIVE, command, stdin=True), given=token.strip() + "\n")
    assert written.code != 0
    assert "secret/data/data/postgres" in written.stderr + written.stdout
    found = as_holder(kubectl, LIVE, token, "kv", "get", "-field=password", "secret/postgres/zitadel")
    assert digest(found) == digest(target.secret("zitadel-password"))


def test_operator_init_is_refused_by_a_vault_that_set_itself_up(kubectl: Kubectl) -> None:
    done = kubectl.tried("exec", "-n", *LIVE, "--", "vault", "operator", "init")
    assert done.code != 0
    assert "already initialized" in done.stderr


@pytest.fixture
def marked(target: Target, kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """Path and value of a secret that was written just now."""
    path, value = f"secret/chaos/procedure-{secrets.token_hex(4)}", secrets.token_hex(12)
    token = log_in(kubectl, target, "chaos")
    as_holder(kubectl, LIVE, token, "kv", "put", path, f"value={value}")
    kubectl.done.clear()
    yield path, value
    as_holder(kubectl, LIVE, token, "kv", "metadata", "delete", path)


def test_a_snapshot_restores_every_secret_in_a_fresh_vault(
    target: Target, kubectl: Kubectl, marked: tuple[str, str]
) -> None:
    """Finding 16: with `-force`, and with the platform's seal key."""
    path, value = marked
    as_holder(kubectl, LIVE, log_in(kubectl, target, "operator"), "operator", "raft", "snapshot", "save", SNAPSHOT)
    try:
        held = kubectl.inside(LIVE, "base64", SNAPSHOT)
    finally:
        kubectl.inside(LIVE, "rm", "-f", SNAPSHOT)
    with fresh_vault(cluster.of(target).api, kubectl, target.settings, unseals_itself=True) as where:
        root = initialise(kubectl, where)["root_token"]
        kubectl.inside(where, "sh", "-c", f"head -c {len(held)} | base64 -d >{SNAPSHOT}", given=held)
        until(lambda: mode(kubectl, where) == "active", 60, "the fresh Vault leads", every=0.5)
        as_holder(kubectl, where, root, "operator", "raft", "snapshot", "restore", "-force", SNAPSHOT)
        until(lambda: mode(kubectl, where) == "active", 60, "the restored Vault leads", every=0.5)
        token = log_in(kubectl, target, "chaos", where)
        assert digest(as_holder(kubectl, where, token, "kv", "get", "-field=value", path)) == digest(value)


def mode(kubectl: Kubectl, where: Where) -> str:
    """What the server says it is: active, standby, or nothing while it is sealed."""
    done = kubectl.tried("exec", "-n", *where, "--", "vault", "status", "-format=json")
    if not done.stdout:
        return ""
    told = json.loads(done.stdout)
    return "" if told["sealed"] else ("active" if told.get("is_self", True) and leads(told) else "standby")


def leads(told: dict[str, str]) -> bool:
    """Whether a status names its own node the leader."""
    return bool(told.get("leader_cluster_address"))


def test_a_vault_that_does_not_set_itself_up_is_initialised_and_unsealed_by_hand(
    target: Target, kubectl: Kubectl
) -> None:
    """The document's two commands, on a Vault with automatic set-up and auto-unseal switched off."""
    with fresh_vault(cluster.of(target).api, kubectl, target.settings, unseals_itself=False) as where:
        answer = initialise(kubectl, where)
        assert (len(answer["unseal_keys_b64"]), answer["unseal_threshold"]) == (5, 3)
        assert status(kubectl, where)["sealed"] is True
        for share in answer["unseal_keys_b64"][:3]:
            assert status(kubectl, where)["sealed"] is True, "it was unsealed before three shares were given"
            kubectl.typed(
                "exec", "-it", "-n", *where, "--", "vault", "operator", "unseal", prompt="hidden", answer=share
            )
        assert status(kubectl, where)["sealed"] is False


def status(kubectl: Kubectl, where: Where) -> dict[str, object]:
    """`vault status`, whose exit code is 2 while it is sealed."""
    told: dict[str, object] = json.loads(
        kubectl.tried("exec", "-n", *where, "--", "vault", "status", "-format=json").stdout
    )
    return told
