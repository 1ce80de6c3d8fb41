"""Scaling by hand: identity out and in again, and what Helm keeps of the values given before."""

from __future__ import annotations

import helm_python as helm
import pytest

from chaosblink.components.identity import Identity
from chaosblink.conformance import cluster
from chaosblink.procedures.kubectl import Kubectl
from chaosblink.targets import Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.release import NAMESPACE, Release
from chaosblink.targets.local.layout import CHART
from chaosblink.waiting import until

pytestmark = pytest.mark.only_on("kubernetes", "the owner's commands are kubectl's and Helm's")

WITHIN = "--timeout=120s"


@pytest.mark.disturbs
def test_identity_is_scaled_out_and_in_again(target: Target, kubectl: Kubectl) -> None:
    """`kubectl scale` as the document has it, each time until the new number serves."""
    before = int(target.settings["zitadel"]["replicaCount"])
    try:
        kubectl("scale", "deployment", "zitadel", "-n", "identity", f"--replicas={before + 1}")
        kubectl("rollout", "status", "deployment/zitadel", "-n", "identity", WITHIN)
        assert endpoints(kubectl) == before + 1
    finally:
        kubectl("scale", "deployment", "zitadel", "-n", "identity", f"--replicas={before}")
        kubectl("rollout", "status", "deployment/zitadel", "-n", "identity", WITHIN)
    until(lambda: endpoints(kubectl) == before, 60, f"{before} nodes serve", every=0.5)
    until(lambda: len(Identity(target).instances()) == before, 60, "the others are gone", every=0.5)


def endpoints(kubectl: Kubectl) -> int:
    """How many nodes the Service sends requests to."""
    ready = "jsonpath={range .items[*].endpoints[?(@.conditions.ready==true)]}{.addresses[0]}{'\\n'}{end}"
    selector = "kubernetes.io/service-name=zitadel"
    return len(kubectl("get", "endpointslices", "-n", "identity", "-l", selector, "-o", ready).split())


def test_the_documents_upgrade_would_forget_every_other_value(target: Target) -> None:
    """Finding 13, by Helm itself on the live release, computed and not carried out."""
    context = cluster.of(target).api.cluster
    change = {"postgresql-ha": {"postgresql": {"replicaCount": 5}}}
    with helm.Config(kube_context=context, namespace=NAMESPACE) as config:
        given = config.get_values(names.RELEASE).get("images", {})
        forgetful = images(config.upgrade(CHART, names.RELEASE, change, dry_run="client")["manifest"])
        careful = images(config.upgrade(CHART, names.RELEASE, change, dry_run="client", reuse_values=True)["manifest"])
    wanted = {
        f"{given[name]['repository']}:{given[name]['tag']}"
        for name in ("identity", "edge", "postgresql")
        if name in given
    }
    assert wanted, "the release was given no images of its own, so there is nothing to forget"
    assert wanted <= careful
    assert wanted & forgetful == set()


def images(manifest: str) -> set[str]:
    """Every image a manifest names."""
    return {line.split()[-1] for line in manifest.splitlines() if line.strip().startswith("image:")}


@pytest.mark.disturbs
def test_an_upgrade_keeps_every_other_value_and_a_rollback_takes_it_back(target: Target) -> None:
    """By the library behind scripts/deploy-umbrella.sh: one more identity node by a value, and the revision before."""
    release = Release(cluster.of(target).api.cluster, lambda _: None)
    with helm.Config(kube_context=release.api.cluster, namespace=NAMESPACE) as config:
        given = config.get_values(names.RELEASE)
        wanted = int(target.settings["zitadel"]["replicaCount"]) + 1
        release.upgrade({"zitadel": {"replicaCount": wanted}})
        try:
            kept = config.get_values(names.RELEASE)
            assert kept["zitadel"]["replicaCount"] == wanted
            assert {key: value for key, value in kept.items() if key != "zitadel"} == {
                key: value for key, value in given.items() if key != "zitadel"
            }
            assert len(Identity(target).instances()) == wanted
        finally:
            release.rollback()
        assert config.get_values(names.RELEASE) == given
