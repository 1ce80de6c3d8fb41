"""Vault, healthy: quorum, seal, who may read what (tried), audit, TLS."""

from __future__ import annotations

import json
import secrets
import ssl

import httpx
import pytest

from chaosblink.components import https
from chaosblink.components.vault import HOST, Vault
from chaosblink.conformance import tls
from chaosblink.conformance.exposure import held
from chaosblink.conformance.inside import inside
from chaosblink.conformance.logins import vault_as
from chaosblink.targets import Instance, Target
from chaosblink.waiting import until

DENIED_TO_CHAOS = [
    ("GET", "secret/data/postgres/zitadel"),
    ("GET", "secret/data/redis/cache"),
    ("GET", "secret/data/zitadel/masterkey"),
    ("GET", "secret/data/zitadel/users"),
    ("LIST", "secret/metadata"),
    ("LIST", "secret/metadata/zitadel"),
    ("POST", "secret/data/zitadel/conformance"),
    ("POST", "secret/data/conformance"),
    ("GET", "sys/policies/acl/zitadel"),
    ("LIST", "sys/policies/acl"),
    ("GET", "sys/auth"),
    ("GET", "sys/mounts"),
    ("GET", "sys/audit"),
    ("LIST", "auth/token/accessors"),
    ("LIST", "auth/approle/role"),
    ("POST", "auth/approle/role/zitadel/secret-id"),
    ("GET", "sys/storage/raft/snapshot"),
    ("POST", "sys/storage/raft/remove-peer"),
]
DENIED_TO_ZITADEL = [
    ("GET", "secret/data/chaos/anything"),
    ("POST", "secret/data/zitadel/conformance"),
    ("POST", "secret/data/postgres/conformance"),
    ("DELETE", "secret/data/redis/conformance"),
    ("LIST", "secret/metadata/zitadel"),
    ("GET", "sys/policies/acl/zitadel"),
    ("GET", "sys/mounts"),
    ("GET", "sys/storage/raft/configuration"),
    ("POST", "auth/approle/role/chaos/secret-id"),
]

DENIED_TO_OPERATOR = [
    ("GET", "secret/data/postgres/zitadel"),
    ("GET", "secret/data/zitadel/masterkey"),
    ("LIST", "secret/metadata"),
    ("POST", "secret/data/zitadel/conformance"),
    ("POST", "auth/token/create-orphan"),
    ("GET", "sys/policies/acl/operator"),
    ("POST", "sys/storage/raft/remove-peer"),
]


def leader_of(target: Target) -> Instance:
    """The one server that says it leads."""
    vault = Vault(target)
    return next(instance for instance in vault.instances() if vault.role(instance) == "leader")


def asked(target: Target, instance: Instance, path: str) -> httpx.Response:
    """One server's own answer, without a token."""
    with https.client(target, instance.address, instance.port, host=HOST) as client:
        return client.get(f"/v1/{path}")


def test_one_node_leads_and_every_other_stands_by(target: Target) -> None:
    vault = Vault(target)
    roles = {instance.name: vault.role(instance) for instance in vault.instances()}
    assert sorted(roles.values()) == ["leader"] + ["standby"] * (len(roles) - 1), roles


def test_there_are_at_least_three_nodes(target: Target) -> None:
    assert len(target.instances("vault")) >= 3


def test_every_node_is_initialised_and_unsealed(target: Target) -> None:
    for instance in target.instances("vault"):
        state = asked(target, instance, "sys/seal-status").json()
        assert (state["initialized"], state["sealed"]) == (True, False), instance.name


def test_every_node_names_the_same_leader(target: Target) -> None:
    named = {i.name: asked(target, i, "sys/leader").json()["leader_address"] for i in target.instances("vault")}
    assert len(set(named.values())) == 1, named
    assert all(named.values()), named


def test_every_node_has_joined_and_votes(target: Target) -> None:
    with vault_as(target, "chaos") as vault:
        servers = vault.ask("GET", "sys/storage/raft/configuration").json()["data"]["config"]["servers"]
    voters = {server["node_id"] for server in servers if server["voter"]}
    assert voters == {instance.name for instance in target.instances("vault")}


def test_the_quorum_outlives_one_node(target: Target) -> None:
    with vault_as(target, "chaos") as vault:
        state = vault.ask("GET", "sys/storage/raft/autopilot/state").json()["data"]
    assert state["healthy"], state["servers"]
    assert state["failure_tolerance"] >= 1


def test_what_the_leader_acknowledged_is_on_every_standby(target: Target) -> None:
    path, value = f"secret/data/chaos/conformance-{secrets.token_hex(4)}", secrets.token_hex(8)
    vault = Vault(target)
    with vault_as(target, "chaos") as writer:
        assert writer.ask("POST", path, {"data": {"value": value}}).status_code == 200
        for instance in vault.instances():
            until(lambda: _read(target, instance, path) == value, 5, f"{instance.name} answers the new value", 0.1)  # noqa: B023
        assert writer.ask("DELETE", path.replace("/data/", "/metadata/", 1)).status_code == 204


def _read(target: Target, instance: Instance, path: str) -> str:
    with https.client(target, instance.address, instance.port, host=HOST) as client, vault_as(target, "chaos") as role:
        answer = client.get(f"/v1/{path}", headers={"X-Vault-Token": role.token})
    return str(answer.json()["data"]["data"]["value"])


@pytest.mark.parametrize(("method", "path"), DENIED_TO_CHAOS, ids=lambda part: part)
def test_the_policy_chaos_denies(target: Target, method: str, path: str) -> None:
    body = {"server_id": "nobody"} if path.endswith("remove-peer") else {"data": {"value": "x"}}
    with vault_as(target, "chaos") as vault:
        answer = vault.ask(method, path, body if method == "POST" else None)
    assert answer.status_code == 403, f"answered {answer.status_code}"


@pytest.mark.parametrize(("method", "path"), DENIED_TO_ZITADEL, ids=lambda part: part)
def test_the_policies_of_zitadel_deny(target: Target, method: str, path: str) -> None:
    with vault_as(target, "zitadel") as vault:
        answer = vault.ask(method, path, {"data": {"value": "x"}} if method == "POST" else None)
    assert answer.status_code == 403, f"answered {answer.status_code}"


@pytest.mark.parametrize("path", ["sys/step-down", "sys/seal", "auth/token/create-orphan", "sys/raw/core"])
def test_no_role_may_what_would_harm_to_try(target: Target, path: str) -> None:
    """Vault itself is asked what the token may: the path's capabilities, computed from all its policies."""
    for role in ("chaos", "zitadel"):
        with vault_as(target, role) as vault:
            answer = vault.ask("POST", "sys/capabilities-self", {"paths": [path]}).json()["data"]
        assert answer[path] == ["deny"], f"{role} may {answer[path]}"


@pytest.mark.parametrize("path", ["secret/data/zitadel/masterkey", "secret/data/chaos/x", "sys/mounts"])
def test_nobody_reads_without_a_token(target: Target, path: str) -> None:
    with vault_as(target) as vault:
        assert vault.ask("GET", path).status_code == 403


@pytest.mark.parametrize("path", ["zitadel/masterkey", "zitadel/login-client", "postgres/zitadel", "redis/cache"])
def test_zitadel_reads_its_own_secrets(target: Target, path: str) -> None:
    with vault_as(target, "zitadel") as vault:
        answer = vault.ask("GET", f"secret/data/{path}")
    assert answer.status_code == 200
    assert all(answer.json()["data"]["data"].values()), "an empty value"


@pytest.mark.parametrize(("method", "path"), DENIED_TO_OPERATOR, ids=lambda part: part)
def test_the_policy_operator_denies(target: Target, method: str, path: str) -> None:
    body = {"server_id": "nobody"} if path.endswith("remove-peer") else {"data": {"value": "x"}}
    with vault_as(target, "operator") as vault:
        answer = vault.ask(method, path, body if method == "POST" else None)
    assert answer.status_code == 403, f"answered {answer.status_code}"


def test_the_operator_may_back_up(target: Target) -> None:
    with vault_as(target, "operator") as vault:
        answer = vault.ask("GET", "sys/storage/raft/snapshot")
    assert answer.status_code == 200, f"answered {answer.status_code}"
    assert answer.content[:2] == b"\x1f\x8b", "a snapshot is a gzip file"


def test_a_root_token_needs_the_operator_and_the_shares(target: Target) -> None:
    """Nobody without a token may begin to draw one; the operator may see that nobody has begun."""
    with vault_as(target) as nobody:
        assert nobody.ask("GET", "sys/generate-root-token/attempt").status_code == 403
        assert nobody.ask("PUT", "sys/generate-root/attempt", {}).status_code in (403, 404, 405)
    with vault_as(target, "operator") as vault:
        found = vault.ask("GET", "sys/generate-root-token/attempt").raise_for_status().json()["data"]
    assert (found["started"], found["required"]) == (False, 3)


def test_a_wrong_secret_id_is_refused(target: Target) -> None:
    given = {"role_id": target.secret("chaos-role-id"), "secret_id": "00000000-0000-0000-0000-000000000000"}
    with vault_as(target) as vault:
        answer = vault.ask("POST", "auth/approle/login", given)
    assert answer.status_code in (400, 403), f"answered {answer.status_code}"


def test_the_root_token_is_gone(target: Target) -> None:
    """Set-up revokes it at last and drops it from what `operator init` answered."""
    kept = held(target)
    assert "root_token" not in json.loads(kept["init.json"])
    assert "token-header" not in kept


def test_every_request_is_in_the_audit_log_and_no_value_is(target: Target) -> None:
    path, value = f"secret/data/chaos/audited-{secrets.token_hex(4)}", secrets.token_hex(12)
    with vault_as(target, "chaos") as vault:
        assert vault.ask("POST", path, {"data": {"value": value}}).status_code == 200
        assert vault.ask("DELETE", path.replace("/data/", "/metadata/", 1)).status_code == 204
    log = inside(target, leader_of(target), ["sh", "-c", f'grep -F "{path.rsplit("/")[-1]}" "$DATA/audit.log"'])
    kinds = [json.loads(line)["type"] for line in log.splitlines() if f'"path":"{path}"' in line]
    assert kinds.count("request") >= 1, kinds
    assert kinds.count("response") >= 1, kinds
    assert value not in log, "the audit log holds the value in clear"


def test_the_audit_log_is_private(target: Target) -> None:
    for instance in target.instances("vault"):
        assert inside(target, instance, ["sh", "-c", 'stat -c %a "$DATA/audit.log"']).strip() == "600", instance.name


def test_every_node_shows_a_certificate_of_the_platforms_ca(target: Target) -> None:
    for instance in target.instances("vault"):
        assert asked(target, instance, "sys/health?standbyok=true").status_code == 200, instance.name


def test_plain_http_is_refused_by_every_node(target: Target) -> None:
    for instance in target.instances("vault"):
        answer = httpx.get(f"http://{instance.address}:{instance.port}/v1/sys/health", timeout=5)
        assert answer.status_code == 400, f"{instance.name} answered {answer.status_code}"


def test_old_tls_is_refused_by_every_node(target: Target) -> None:
    assert tls.can_speak(ssl.TLSVersion.TLSv1_1), "this client cannot speak TLS 1.1, so its failure would prove nothing"
    for instance in target.instances("vault"):
        assert tls.version(instance.address, instance.port, ssl.TLSVersion.TLSv1_1) == "", instance.name
        assert tls.version(instance.address, instance.port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2", instance.name
