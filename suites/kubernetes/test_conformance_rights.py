"""Rights in the cluster, tried with each account's own token: what is not needed is refused, what is needed is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chaosblink.conformance import cluster
from chaosblink.conformance.inside import inside
from chaosblink.targets import PlatformError, Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.listing import PORTS
from chaosblink.targets.kubernetes.workloads import PART_OF

pytestmark = pytest.mark.only_on("kubernetes", "service accounts and roles are objects of Kubernetes")

ACCOUNTS = (
    "blinkchamber/default",
    "blinkchamber/vault",
    "blinkchamber/vault-agent-injector",
    "blinkchamber/vault-setup",
    "database/default",
    "database/pgpool",
    "database/platform-test",
    "database/postgresql",
    "database/redis",
    "database/sentinel",
    "identity/default",
    "identity/eventrelay",
    "identity/zitadel",
    "ingress/default",
    "ingress/edge",
)
Right = tuple[str, str, str]
"""Verb, resource with its group, and the one object's name or *."""
EVERYBODYS: set[Right] = {
    ("create", f"{group}/{resource}", "*")
    for group, resource in (
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    )
}
"""What Kubernetes itself lets every account do: ask about itself."""
REVIEWS = {
    ("create", "authentication.k8s.io/tokenreviews", "*"),
    ("create", "authorization.k8s.io/subjectaccessreviews", "*"),
}
HOOKS = {(verb, "admissionregistration.k8s.io/mutatingwebhookconfigurations", "*") for verb in ("get", "list", "watch")}
NEEDED: dict[tuple[str, str], set[Right]] = {
    ("blinkchamber/vault-setup", "blinkchamber"): {(verb, "/secrets", "vault-init") for verb in ("get", "patch")},
    ("blinkchamber/vault-setup", "chaosblink"): {("patch", "/secrets", names.SECRETS)},
}
"""By account and namespace."""
NEEDED_EVERYWHERE = {"blinkchamber/vault": REVIEWS, "blinkchamber/vault-agent-injector": HOOKS}
TOKENS_ARE_FOR = {"vault", "vault-agent-injector", "vault-setup"}


def token_of(target: Target, account: str) -> str:
    """A token of `namespace/name`; not run for an account that is there only while the chart's test runs."""
    namespace, _, name = account.partition("/")
    try:
        return cluster.of(target).account_token(namespace, name)
    except PlatformError as error:
        if name == "platform-test" and "nothing found" in str(error):
            pytest.skip("the chart's test, whose account this is, was not run on this release")
        raise


def test_no_account_is_left_out_here(target: Target) -> None:
    found = {cluster.called(one) for one in cluster.listed(target, "api/v1:serviceaccounts")}
    assert found | {"database/platform-test"} == set(ACCOUNTS)


def rights(client: httpx.Client, namespace: str) -> set[Right]:
    """What a token may do in a namespace, as the API itself lists it; an incomplete list is no answer."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    answer = client.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", json=body).raise_for_status()
    status = answer.json()["status"]
    assert not status["incomplete"], status.get("evaluationError")
    return {
        (verb, f"{group}/{resource}", name)
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule.get("apiGroups") or [""]
        for resource in rule.get("resources") or []
        for name in rule.get("resourceNames") or ["*"]
    }


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_may_what_it_needs_and_nothing_else(target: Target, account: str) -> None:
    with cluster.asking(target, token_of(target, account)) as client:
        for namespace in (*names.PLATFORM_NAMESPACES, names.NAMESPACE, "kube-system", "default"):
            needed = NEEDED.get((account, namespace), set()) | NEEDED_EVERYWHERE.get(account, set())
            found = rights(client, namespace)
            assert found - EVERYBODYS == needed, namespace
            assert found >= EVERYBODYS, f"{namespace}: the list is not whole"


FORBIDDEN = [
    ("GET", "api/v1/namespaces/{namespace}/secrets", "list", "secrets"),
    ("GET", "api/v1/namespaces/{namespace}/secrets/blinkchamber-secrets", "get", "secrets"),
    ("GET", "api/v1/namespaces/{namespace}/configmaps", "list", "configmaps"),
    ("GET", "api/v1/namespaces/{namespace}/pods", "list", "pods"),
    ("POST", "api/v1/namespaces/{namespace}/pods?dryRun=All", "create", "pods"),
    ("DELETE", "api/v1/namespaces/{namespace}/pods/nobody?dryRun=All", "delete", "pods"),
    ("POST", "api/v1/namespaces/{namespace}/serviceaccounts/default/token", "create", "serviceaccounts/token"),
    ("GET", "api/v1/nodes", "list", "nodes"),
    ("GET", "api/v1/namespaces", "list", "namespaces"),
]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_tries_what_it_may_not(target: Target, account: str) -> None:
    """The real request and the API's own opinion of it, in the account's own namespace."""
    namespace, _, name = account.partition("/")
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "nobody"},
        "spec": {"containers": [{"name": "nobody", "image": "nobody"}]},
    }
    with cluster.asking(target, token_of(target, account)) as client:
        assert who_am_i(client) == f"system:serviceaccount:{namespace}:{name}", "the token is another's"
        for method, path, verb, resource in FORBIDDEN:
            place = "/" + path.format(namespace=namespace)
            answer = client.request(method, place, json=body if method == "POST" else None)
            assert answer.status_code == 403, f"{method} {place} answered {answer.status_code}"
            assert not opinion(client, namespace, verb, resource, path), f"{verb} {resource} is allowed, it says"


def who_am_i(client: httpx.Client) -> str:
    """The name the API knows the token by."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=body).raise_for_status()
    return str(answer.json()["status"]["userInfo"]["username"])


def opinion(client: httpx.Client, namespace: str, verb: str, resource: str, path: str) -> bool:
    """Whether the API says that the token may do this."""
    kind, _, subresource = resource.partition("/")
    asked: dict[str, Any] = {"verb": verb, "resource": kind, "subresource": subresource}
    if "namespaces/" in path:
        asked["namespace"] = namespace
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = client.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=body).raise_for_status()
    return bool(answer.json()["status"]["allowed"])


def test_vault_may_have_tokens_reviewed(target: Target) -> None:
    """Without this nobody could log in by Kubernetes auth."""
    shown = token_of(target, "identity/zitadel")
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": shown}}
    with cluster.asking(target, token_of(target, "blinkchamber/vault")) as client:
        answer = client.post("/apis/authentication.k8s.io/v1/tokenreviews", json=body).raise_for_status().json()
    assert answer["status"]["user"]["username"] == "system:serviceaccount:identity:zitadel"


def test_the_injector_may_watch_its_webhook(target: Target) -> None:
    with cluster.asking(target, token_of(target, "blinkchamber/vault-agent-injector")) as client:
        answer = client.get("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")
    assert answer.status_code == 200


def test_no_pod_has_a_token_it_does_not_need(target: Target) -> None:
    """A token is in a pod only where it is used: Vault, its injector, its set-up, and identity's init container."""
    for pod in cluster.pods(target):
        tokens = {
            volume["name"]
            for volume in pod["spec"].get("volumes", [])
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        }
        for box in cluster.containers(pod):
            mounted = tokens & {mount["name"] for mount in box.get("volumeMounts", [])}
            allowed = pod["spec"]["serviceAccountName"] in TOKENS_ARE_FOR or box["name"] == "vault-agent-init"
            assert allowed or not mounted, f"{cluster.called(pod)} {box['name']}: {sorted(mounted)}"


@pytest.mark.parametrize("component", [name for name in PORTS if name != "vault"])
def test_no_server_finds_a_token_where_tokens_lie(target: Target, component: str) -> None:
    script = "test -e /var/run/secrets/kubernetes.io/serviceaccount/token && echo there || echo none"
    for instance in target.instances(component):
        assert inside(target, instance, ["sh", "-c", script]).strip() == "none", instance.name


def test_no_role_of_the_platform_names_everything(target: Target) -> None:
    group = "apis/rbac.authorization.k8s.io/v1"
    roles = cluster.listed(target, f"{group}:roles")
    with cluster.asking(target) as client:
        selector = {"labelSelector": PART_OF}
        roles += client.get(f"/{group}/clusterroles", params=selector).raise_for_status().json()["items"]
    assert roles
    for role in roles:
        for rule in role.get("rules") or []:
            assert "*" not in [*rule["verbs"], *rule.get("resources", []), *rule.get("apiGroups", [])], role["metadata"]


@pytest.mark.parametrize("account", [names.RUN_ACCOUNT, "chaosblink-agent"])
def test_the_suites_own_accounts_make_no_pod_and_read_no_secret(target: Target, account: str) -> None:
    with cluster.asking(target, cluster.of(target).account_token(names.NAMESPACE, account)) as client:
        for namespace in (*names.PLATFORM_NAMESPACES, names.NAMESPACE):
            for verb, resource in (("create", "pods"), ("create", "pods/exec"), ("list", "secrets")):
                where = f"namespaces/{namespace}"
                assert not opinion(client, namespace, verb, resource, where), f"{verb} {resource} in {namespace}"
