"""NetworkPolicies, tried: nobody reaches a server whom no policy names, where the cluster enforces them at all."""

from __future__ import annotations

import json
import socket

import pytest

from chaosblink.conformance import cluster
from chaosblink.conformance.inside import inside
from chaosblink.targets import Instance, Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.execution import output_of
from chaosblink.targets.kubernetes.listing import PORTS
from chaosblink.targets.kubernetes.workloads import COMPONENT, ready

pytestmark = pytest.mark.only_on("kubernetes", "NetworkPolicies are objects of Kubernetes")

POLICIES = "apis/networking.k8s.io/v1:networkpolicies"
LISTENING = 8080
WITHIN_S = 3.0
MORE_PORTS = {"vault": (8201,), "edge": (5432, 6379, 8200, 8404)}
"""Ports servers have beside their own."""
OPEN_TO_ALL = {("edge", 443)}


def test_every_namespace_denies_by_default(target: Target) -> None:
    for namespace in names.PLATFORM_NAMESPACES:
        whole = [
            one["metadata"]["name"]
            for one in cluster.listed(target, POLICIES, (namespace,))
            if not one["spec"]["podSelector"]
            and "Ingress" in one["spec"]["policyTypes"]
            and not one["spec"].get("ingress")
        ]
        assert len(whole) == 1, f"{namespace}: {whole}"


@pytest.mark.parametrize("component", PORTS)
def test_a_policy_of_its_own_says_who_reaches(target: Target, component: str) -> None:
    mine = [
        one
        for one in cluster.listed(target, POLICIES)
        if one["spec"]["podSelector"].get("matchLabels", {}).get(COMPONENT) == component
    ]
    assert len(mine) == 1, [one["metadata"]["name"] for one in mine]
    for rule in mine[0]["spec"]["ingress"]:
        ports = {port["port"] for port in rule["ports"]}
        assert rule.get("from") or ports == {443}, f"everybody reaches {component} at {ports}"
        for who in rule.get("from", []):
            assert who.get("namespaceSelector", {}).get("matchLabels"), f"{component}: {who}"


def reached(address: str, port: int) -> bool:
    """Whether a connection is accepted, from where this test runs."""
    try:
        socket.create_connection((address, port), WITHIN_S).close()
    except OSError:
        return False
    return True


@pytest.fixture
def enforced(target: Target) -> None:
    """The tests of what must fail are not run where a pod that deny-by-default closes is reached all the same."""
    with cluster.asking(target) as client:
        pod = client.get(f"/api/v1/namespaces/identity/pods/{names.STRANGER}").raise_for_status().json()
    assert ready(pod), f"{names.STRANGER} does not listen, so whether it is reached proves nothing"
    if reached(pod["status"]["podIP"], LISTENING):
        pytest.skip(
            "this cluster's network enforces no NetworkPolicy: a pod that the policy deny-by-default closes was reached"
        )


TRIES = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def tried(place):
    try:
        socket.create_connection(tuple(place), 3).close()
    except OSError:
        return None
    return place

places = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(places)) as pool:
    print(json.dumps([place for place in pool.map(tried, places) if place]))
"""


def places(target: Target) -> dict[tuple[str, int], Instance]:
    """Every address and port at which a server listens."""
    return {
        (instance.address, port): instance
        for instance in target.instances()
        for port in (instance.port, *MORE_PORTS.get(instance.component, ()))
    }


@pytest.mark.usefixtures("enforced")
def test_a_stranger_reaches_the_edges_tls_alone(target: Target) -> None:
    known = places(target)
    where = ("identity", names.STRANGER, "stranger")
    command = ["python", "-c", TRIES, json.dumps(list(known))]
    found = json.loads(output_of(cluster.of(target).api, where, command, within=30))
    assert {(known[address, port].component, port) for address, port in found} == OPEN_TO_ALL


@pytest.mark.usefixtures("enforced")
def test_the_suite_reaches_no_port_that_is_not_meant_for_it(target: Target) -> None:
    for instance in target.instances("vault"):
        assert reached(instance.address, instance.port), f"{instance.name} is not reached at all"
        assert not reached(instance.address, 8201), f"{instance.name}: the Raft port is open to more than its peers"


@pytest.mark.usefixtures("enforced")
@pytest.mark.parametrize("component", ["postgresql", "pgpool", "redis", "sentinel"])
def test_databases_reach_nothing_outside_their_namespace(target: Target, component: str) -> None:
    peer, outside = target.instances(component)[0], target.instances("edge")[0]
    speaker = target.instances(component)[-1]
    script = 'timeout 3 bash -c "</dev/tcp/$0/$1" 2>/dev/null && echo reached || echo not'
    assert inside(target, speaker, ["sh", "-c", script, peer.address, str(peer.port)]).strip() == "reached"
    assert inside(target, speaker, ["sh", "-c", script, outside.address, "443"]).strip() == "not"
