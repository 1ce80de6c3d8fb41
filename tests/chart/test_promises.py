"""What every object of the chart promises, whatever the values."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chaosblink.targets.kubernetes import generated
from chaosblink.targets.local.layout import CHART
from tests.chart.conftest import Objects, container, env, of_kind, pod_templates

SERVED = {
    "v1": {"ConfigMap", "Pod", "Service", "ServiceAccount"},
    "admissionregistration.k8s.io/v1": {"MutatingWebhookConfiguration"},
    "apps/v1": {"Deployment", "StatefulSet"},
    "batch/v1": {"Job"},
    "networking.k8s.io/v1": {"NetworkPolicy"},
    "policy/v1": {"PodDisruptionBudget"},
    "rbac.authorization.k8s.io/v1": {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"},
}
"""Versions of the API that are stable and not deprecated."""

SECRET_NAMES = {name for names in generated.HOLDERS.values() for name in names}
NAMESPACES = {"blinkchamber", "database", "identity", "ingress"}


def test_every_object_has_a_version_that_is_served_and_not_deprecated(objects: Objects) -> None:
    for item in objects:
        assert item["kind"] in SERVED.get(item["apiVersion"], set()), (item["apiVersion"], item["kind"])


def test_every_object_has_the_labels_and_an_own_name(objects: Objects) -> None:
    names = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in objects]
    assert len(names) == len(set(names))
    for item in objects:
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "blinkchamber-platform", item["metadata"]


def test_every_pod_says_which_component_it_is(objects: Objects) -> None:
    for name, pod in pod_templates(objects).items():
        labels = pod["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "blinkchamber-platform", name
        assert labels["app.kubernetes.io/instance"] == "blinkchamber", name
        assert labels["app.kubernetes.io/component"] == container(pod)["name"], name


def test_every_pod_is_confined(objects: Objects) -> None:
    for name, pod in pod_templates(objects).items():
        whole, own = pod["spec"]["securityContext"], container(pod)["securityContext"]
        assert whole["runAsNonRoot"] is True, name
        assert whole["runAsUser"] > 0, name
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"]), name
        assert not any("hostPath" in volume for volume in pod["spec"]["volumes"]), name


def test_every_pod_has_requests_and_limits(objects: Objects) -> None:
    for name, pod in pod_templates(objects).items():
        for kind in ("requests", "limits"):
            assert set(container(pod)["resources"][kind]) == {"cpu", "memory"}, name


def test_every_server_is_probed_and_liveness_asks_only_the_server_itself(objects: Objects) -> None:
    for item in of_kind(objects, "StatefulSet", "Deployment"):
        server = container(item["spec"]["template"])
        name = item["metadata"]["name"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(server), name
        assert "exec" not in server["livenessProbe"], f"{name}: health.sh may ask peers"
        patience = server["livenessProbe"]["periodSeconds"] * server["livenessProbe"]["failureThreshold"]
        assert patience >= 60, f"{name}: a server frozen for a while must not be killed for it"
        for probe in ("startupProbe", "readinessProbe"):
            if "exec" in server[probe]:
                assert server[probe]["exec"]["command"] == ["/files/health.sh"], name


def test_only_who_asks_the_api_has_a_token(objects: Objects) -> None:
    for name, pod in pod_templates(objects).items():
        may = name in ("vault", "vault-agent-injector") or name.startswith("vault-setup")
        assert pod["spec"]["automountServiceAccountToken"] is may, name
        assert pod["spec"]["enableServiceLinks"] is False, name
    accounts = {(a["metadata"]["namespace"], a["metadata"]["name"]) for a in of_kind(objects, "ServiceAccount")}
    for item in of_kind(objects, "StatefulSet", "Deployment"):
        assert (item["metadata"]["namespace"], item["spec"]["template"]["spec"]["serviceAccountName"]) in accounts


def test_rights_name_what_they_are_about(objects: Objects) -> None:
    for role in (item for item in objects if item["kind"] in ("Role", "ClusterRole")):
        for rule in role["rules"]:
            text = json.dumps(rule)
            assert "*" not in text, role["metadata"]["name"]
            if "secrets" in rule["resources"]:
                assert rule["resourceNames"], role["metadata"]["name"]
                assert set(rule["verbs"]) <= {"get", "patch"}, role["metadata"]["name"]


def test_every_workload_has_a_budget_that_lets_one_pod_go(objects: Objects) -> None:
    budgets = of_kind(objects, "PodDisruptionBudget")
    for item in of_kind(objects, "StatefulSet", "Deployment"):
        labels = item["spec"]["template"]["metadata"]["labels"]
        here = [b for b in budgets if b["metadata"]["namespace"] == item["metadata"]["namespace"]]
        chosen = [b for b in here if b["spec"]["selector"]["matchLabels"].items() <= labels.items()]
        assert len(chosen) == 1, item["metadata"]["name"]
        spec = chosen[0]["spec"]
        assert spec.get("maxUnavailable") == 1 or 0 < spec["minAvailable"] < item["spec"]["replicas"], spec


def test_selectors_choose_their_own_pods_and_no_others(objects: Objects) -> None:
    workloads = of_kind(objects, "StatefulSet", "Deployment")
    for item in workloads:
        chosen = [
            other["metadata"]["name"]
            for other in workloads
            if other["metadata"]["namespace"] == item["metadata"]["namespace"]
            and item["spec"]["selector"]["matchLabels"].items()
            <= other["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert chosen == [item["metadata"]["name"]]


def test_no_secret_is_in_the_chart(objects: Objects) -> None:
    assert not [item for item in objects if item["kind"] == "Secret"]
    for name, pod in pod_templates(objects).items():
        for entry in container(pod)["env"]:
            assert "secretKeyRef" not in json.dumps(entry), f"{name}: {entry['name']}"
            assert not re.search(r"PASSWORD|TOKEN|SECRET_ID|MASTERKEY", entry["name"]), f"{name}: {entry['name']}"
        assert "envFrom" not in container(pod), name
    values = (CHART / "values.yaml").read_text()
    assert not re.search(r"(?i)(password|token|secret-id|seal-key) *:", values)


def test_every_pod_mounts_only_the_secrets_its_namespace_is_given(objects: Objects) -> None:
    mounted = set()
    for item in objects:
        pod = item if item["kind"] == "Pod" else item.get("spec", {}).get("template")
        for volume in (pod or {}).get("spec", {}).get("volumes", []):
            secret = volume.get("secret", {})
            if secret.get("secretName") == generated.SECRET:
                names = {entry["key"] for entry in secret["items"]}
                assert names <= set(generated.HOLDERS[item["metadata"]["namespace"]]), item["metadata"]["name"]
                mounted |= names
            elif secret:
                made = {(namespace, name) for namespace, name, _ in generated.CERTIFICATES}
                assert (item["metadata"]["namespace"], secret["secretName"]) in made
    assert mounted <= SECRET_NAMES


def test_shared_files_arrive_byte_for_byte(objects: Objects) -> None:
    maps = {m["metadata"]["name"]: m for m in of_kind(objects, "ConfigMap")}
    seen = 0
    for item in objects:
        pod = item if item["kind"] == "Pod" else item.get("spec", {}).get("template")
        for volume in (pod or {}).get("spec", {}).get("volumes", []):
            name = volume.get("configMap", {}).get("name", "")
            if not name.endswith("-files") or (name == "vault-files" and name not in maps):
                continue
            folder = CHART / "files" / name.removesuffix("-files")
            assert maps[name]["metadata"]["namespace"] == item["metadata"]["namespace"], name
            assert maps[name]["data"] == {path.name: path.read_bytes().decode() for path in folder.iterdir()}, name
            assert volume["configMap"]["defaultMode"] == 0o555, name
            seen += 1
    assert seen


def test_every_namespace_denies_by_default_and_every_port_has_a_rule(objects: Objects) -> None:
    policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
    if not policies:
        pytest.skip("network.policies is off in this variant")
    denied = {p["metadata"]["namespace"] for p in policies if p["metadata"]["name"] == "deny-by-default"}
    assert denied == NAMESPACES
    for item in of_kind(objects, "StatefulSet", "Deployment"):
        labels = item["spec"]["template"]["metadata"]["labels"]
        rules: list[dict[str, Any]] = [
            rule
            for policy in policies
            if policy["metadata"]["namespace"] == item["metadata"]["namespace"] and policy["spec"].get("ingress")
            if policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
            for rule in policy["spec"]["ingress"]
        ]
        open_ports = {port["port"] for rule in rules for port in rule["ports"]}
        assert {port["containerPort"] for port in container(item["spec"]["template"])["ports"]} == open_ports


def test_names_of_hosts_are_whole(objects: Objects) -> None:
    services = {(s["metadata"]["name"], s["metadata"]["namespace"]) for s in of_kind(objects, "Service")}
    stateful = {
        (s["metadata"]["name"], s["spec"]["serviceName"], s["metadata"]["namespace"])
        for s in of_kind(objects, "StatefulSet")
    }
    checked = 0
    for name, pod in pod_templates(objects).items():
        for value in env(pod).values():
            for host in re.findall(r"[a-z0-9.-]+\.svc\.cluster\.local", value):
                *pods, service, namespace = host.removesuffix(".svc.cluster.local").split(".")
                pods = [pod for pod in pods if pod]
                if namespace in ("blinkchamber", "identity") and (service, namespace) not in services:
                    continue  # products of others
                assert (service, namespace) in services, f"{name}: {host}"
                if pods:
                    stem = pods[0].rpartition("-")[0]
                    assert (stem, service, namespace) in stateful, f"{name}: {host}"
                checked += 1
    assert checked
