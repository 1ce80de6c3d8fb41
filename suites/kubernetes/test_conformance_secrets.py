"""Secrets in the cluster: pods get them as files, nothing that is listed or logged holds one, Vault knows who asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaosblink.conformance import cluster, exposure
from chaosblink.conformance.logins import APPLICATIONS, vault_as
from chaosblink.targets import Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.execution import output_of
from chaosblink.targets.kubernetes.workloads import COMPONENT

pytestmark = pytest.mark.only_on("kubernetes", "pods, ConfigMaps and service accounts are objects of Kubernetes")

POLICIES = {"default", "postgres", "redis", "zitadel"}
PLACE = "/vault/secrets"


def identitys(target: Target) -> list[dict[str, Any]]:
    """The pods of identity, which the injector serves."""
    found = [pod for pod in cluster.serving(target) if pod["metadata"]["labels"].get(COMPONENT) == "identity"]
    assert found
    return found


def test_identitys_secrets_come_from_the_injector(target: Target) -> None:
    for pod in identitys(target):
        name, annotations = cluster.called(pod), pod["metadata"]["annotations"]
        assert annotations.get("vault.hashicorp.com/agent-inject-status") == "injected", name
        assert "vault-agent-init" in [box["name"] for box in pod["spec"].get("initContainers", [])], name
        (server,) = [box for box in pod["spec"]["containers"] if box["name"] == "identity"]
        (mount,) = [mount for mount in server["volumeMounts"] if mount["mountPath"] == PLACE]
        (volume,) = [volume for volume in pod["spec"]["volumes"] if volume["name"] == mount["name"]]
        assert volume.get("emptyDir") == {"medium": "Memory"}, f"{name}: {volume}"


def test_identity_mounts_no_secret_of_kubernetes(target: Target) -> None:
    """All it has comes from Vault."""
    for pod in identitys(target):
        assert [volume["name"] for volume in pod["spec"]["volumes"] if "secret" in volume] == [], cluster.called(pod)


def test_no_container_gets_a_secret_by_its_environment(target: Target) -> None:
    for pod in cluster.pods(target):
        for box in cluster.containers(pod):
            given = [one for one in box.get("env", []) if "secretKeyRef" in one.get("valueFrom", {})]
            given += [one for one in box.get("envFrom", []) if "secretRef" in one]
            assert given == [], f"{cluster.called(pod)} {box['name']}"


def test_no_secret_is_in_a_config_map(target: Target) -> None:
    secrets = exposure.writings(target)
    maps = cluster.listed(target, "api/v1:configmaps", (*names.PLATFORM_NAMESPACES, names.NAMESPACE))
    assert len(maps) > len(names.PLATFORM_NAMESPACES)
    found = {cluster.called(one): exposure.named_in(_text(one), secrets) for one in maps}
    assert {name: leaked for name, leaked in found.items() if leaked} == {}


def test_no_secret_is_in_what_the_api_says_of_a_pod(target: Target) -> None:
    secrets = exposure.writings(target)
    found = {cluster.called(pod): exposure.named_in(_text(pod), secrets) for pod in cluster.pods(target)}
    assert found
    assert {name: leaked for name, leaked in found.items() if leaked} == {}


def _text(content: dict[str, Any]) -> bytes:
    """As JSON, and its strings as they are: JSON would write a quote or a line's end otherwise."""
    return json.dumps(content, ensure_ascii=False).encode() + b"\0".join(_strings(content))


def _strings(content: Any) -> list[bytes]:
    if isinstance(content, dict):
        return [text for each in content.values() for text in _strings(each)]
    if isinstance(content, list):
        return [text for each in content for text in _strings(each)]
    return [content.encode()] if isinstance(content, str) else []


def test_no_secret_is_in_the_log_of_any_container(target: Target) -> None:
    """Of those that have ended too: set-up has seen all of them, the injector's init container identity's."""
    secrets = exposure.writings(target)
    read, found = 0, {}
    with cluster.asking(target) as client:
        for pod in cluster.pods(target):
            for box in cluster.containers(pod):
                place = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/log"
                answer = client.get(place, params={"container": box["name"]}).raise_for_status()
                read += len(answer.content)
                if leaked := exposure.named_in(answer.content, secrets):
                    found[f"{cluster.called(pod)} {box['name']}"] = leaked
    assert read > 0
    assert found == {}


def test_no_secret_is_in_the_environment_of_the_injector(target: Target) -> None:
    secrets = exposure.writings(target)
    pods = [pod for pod in cluster.serving(target) if pod["metadata"]["labels"].get(COMPONENT) == "injector"]
    assert pods
    for pod in pods:
        place = (pod["metadata"]["namespace"], pod["metadata"]["name"], "injector")
        told = output_of(cluster.of(target).api, place, ["cat", "/proc/1/environ"])
        assert "AGENT_INJECT_VAULT_ADDR=" in told
        assert exposure.named_in(told.encode(), secrets) == [], cluster.called(pod)


def logged_in(target: Target, role: str, account: str) -> tuple[int, dict[str, Any]]:
    """Status and answer of Vault's Kubernetes auth for a role and the token of `namespace/name`."""
    namespace, _, name = account.partition("/")
    shown = cluster.of(target).account_token(namespace, name)
    with vault_as(target) as nobody:
        answer = nobody.ask("POST", "auth/kubernetes/login", {"role": role, "jwt": shown})
    return answer.status_code, answer.json()


def test_vault_lets_identitys_account_in_and_gives_it_its_policies(target: Target) -> None:
    role, namespace, account = APPLICATIONS["zitadel"]
    status, answer = logged_in(target, role, f"{namespace}/{account}")
    assert status == 200, answer.get("errors")
    assert set(answer["auth"]["policies"]) == POLICIES
    assert answer["auth"]["metadata"]["service_account_namespace"] == "identity"
    assert answer["auth"]["lease_duration"] == 3600


@pytest.mark.parametrize(
    "account", ["identity/default", "identity/eventrelay", "blinkchamber/vault", "database/postgresql", "ingress/edge"]
)
def test_vault_lets_no_other_account_in(target: Target, account: str) -> None:
    status, answer = logged_in(target, APPLICATIONS["zitadel"][0], account)
    assert status == 403, status
    assert "auth" not in answer or answer["auth"] is None


def test_vault_knows_no_role_it_was_not_given(target: Target) -> None:
    status, _ = logged_in(target, "admin", "identity/zitadel")
    assert status in (400, 403), status


def test_vault_takes_no_token_it_cannot_have_reviewed(target: Target) -> None:
    """A token of the right form whose signature is another's."""
    _, namespace, account = APPLICATIONS["zitadel"]
    head, body, signature = cluster.of(target).account_token(namespace, account).split(".")
    with vault_as(target) as nobody:
        forged = f"{head}.{body}.{signature[::-1]}"
        answer = nobody.ask("POST", "auth/kubernetes/login", {"role": APPLICATIONS["zitadel"][0], "jwt": forged})
    assert answer.status_code == 403, answer.status_code
