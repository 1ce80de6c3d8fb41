"""APIs: the release uses none that is deprecated, by the word of the server that serves it."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import httpx
import pytest
import yaml

from chaosblink.conformance import cluster
from chaosblink.targets import Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.local.layout import CHART

pytestmark = pytest.mark.only_on("kubernetes", "API versions are Kubernetes' own")

CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration")
PLURALS = {"NetworkPolicy": "networkpolicies"}
"""Where a kind's plural is not made by an s."""


def manifest(target: Target) -> list[dict[str, Any]]:
    """Every object of the chart with the values of the release."""
    with helm.Chart.load(CHART) as chart:
        rendered = chart.render(target.settings, name=names.RELEASE, namespace="blinkchamber")
    texts = [text for name, text in rendered.items() if name.endswith(".yaml")]
    found = [each for text in texts for each in yaml.safe_load_all(text) if each]
    assert len(found) > 50
    return found


def plural(kind: str) -> str:
    """The resource of a kind."""
    return PLURALS.get(kind, f"{kind.lower()}s")


def warnings(client: httpx.Client, path: str) -> list[str]:
    """What the server warns of when a list is asked for; a list that it does not give is no answer."""
    answer = client.get(path, params={"limit": 1})
    assert answer.status_code == 200, f"{path} answered {answer.status_code}"
    return [value for name, value in answer.headers.multi_items() if name.lower() == "warning"]


def test_the_server_does_warn_of_what_is_deprecated(target: Target) -> None:
    """Without this no silence would mean anything."""
    with cluster.asking(target) as client:
        assert "deprecated" in " ".join(warnings(client, "/api/v1/componentstatuses"))


def test_nothing_of_the_release_uses_a_deprecated_api(target: Target) -> None:
    used = {(each["apiVersion"], each["kind"]) for each in manifest(target)}
    found = {}
    with cluster.asking(target) as client:
        for version, kind in sorted(used):
            place = "" if kind in CLUSTER_WIDE else "namespaces/blinkchamber/"
            path = f"/{root(version)}/{place}{plural(kind)}"
            if told := warnings(client, path):
                found[path] = told
    assert found == {}


def root(version: str) -> str:
    """Where the API has a version of a group."""
    return f"apis/{version}" if "/" in version else f"api/{version}"


def test_what_is_there_was_written_with_versions_the_chart_names(target: Target) -> None:
    """By the API's own record of who wrote an object: no hook and no start script uses another version."""
    named = {(each["apiVersion"], each["kind"]) for each in manifest(target)}
    assert ("apps/v1", "StatefulSet") in named
    odd = []
    for version, kind in sorted(named):
        if kind in CLUSTER_WIDE:
            continue
        for one in cluster.listed(target, f"{root(version)}:{plural(kind)}"):
            if one["metadata"].get("labels", {}).get(names.PART_OF[0]) != names.PART_OF[1]:
                continue
            written = {entry["apiVersion"] for entry in one["metadata"].get("managedFields", [])}
            odd += [f"{kind} {cluster.called(one)}: {other}" for other in written - {version}]
    assert odd == []
