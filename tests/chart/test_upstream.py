"""Releases of others: pinned, with values that fit our chart; the charts themselves are not at hand."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import yaml

from chaosblink.targets.kubernetes.upstream import UPSTREAM, releases, replaced, values_of
from tests.chart.conftest import Objects, of_kind

RELEASES = {release["name"]: release for release in releases()}


def test_every_release_is_pinned() -> None:
    later = yaml.safe_load((UPSTREAM / "releases.yaml").read_text())["later"]
    for release in [*RELEASES.values(), *later]:
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", release["version"]), release["name"]
        assert release["repository"].startswith("https://")
    assert {"zitadel", "vault", "cert-manager", "traefik"} <= set(RELEASES)
    assert {"mailu", "longhorn", "kube-prometheus-stack"} == {release["name"] for release in later}


@pytest.mark.parametrize("name", RELEASES)
def test_values_hold_no_secret_and_only_hosts_that_exist(name: str, render: Callable[[str], Objects]) -> None:
    text = yaml.safe_dump(values_of(RELEASES[name]))
    assert not re.search(r"(?i)(password|token|masterkey):\s*\S", text)
    services = {(s["metadata"]["name"], s["metadata"]["namespace"]) for s in of_kind(render(""), "Service")}
    for host in re.findall(r"[a-z0-9.-]+\.svc\.cluster\.local", text):
        *_, service, namespace = host.removesuffix(".svc.cluster.local").split(".")
        assert (service, namespace) in services, host


def test_our_chart_stands_beside_them(render: Callable[[str], Objects]) -> None:
    off = [f"{key}.enabled=false" for key, value in replaced().items() if value.get("enabled") is False]
    off.append("network.policies=false")
    assert len(off) == 4
    names = {
        item["metadata"]["name"] for item in render(",".join(off)) if item["kind"] in ("StatefulSet", "Deployment")
    }
    assert {"postgresql-ha-postgresql", "redis-master", "edge"} <= names
    assert not {"vault", "zitadel", "vault-agent-injector"} & names


def test_vault_can_join_whichever_peer_is_left() -> None:
    server = values_of(RELEASES["vault"])["server"]["ha"]
    config = server["raft"]["config"]
    for ordinal in range(server["replicas"]):
        assert f'leader_api_addr = "https://vault-{ordinal}.vault-internal.' in config
