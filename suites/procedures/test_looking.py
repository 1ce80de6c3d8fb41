"""Troubleshooting: what the owner's document tells a person to look at, as it is written there."""

from __future__ import annotations

import pytest

from chaosblink.conformance import cluster
from chaosblink.procedures.kubectl import Kubectl
from chaosblink.targets import Target

pytestmark = pytest.mark.only_on("kubernetes", "the owner's commands are kubectl's and Helm's")

PART_OF = "app.kubernetes.io/part-of=blinkchamber-platform"


def test_vault_status_says_that_it_is_unsealed(kubectl: Kubectl) -> None:
    said = kubectl("exec", "-n", "blinkchamber", "vault-0", "--", "vault", "status")
    told = {line.split()[0]: line.split()[-1] for line in said.splitlines() if len(line.split()) == 2}
    assert told["Sealed"] == "false"
    assert told["Initialized"] == "true"


def test_get_pods_by_the_platforms_label_shows_every_instance(target: Target, kubectl: Kubectl) -> None:
    said = kubectl("get", "pods", "-A", "-l", PART_OF)
    shown = {line.split()[1] for line in said.splitlines()[1:]}
    assert {instance.name for instance in target.instances()} - shown == set()


def test_get_events_shows_the_newest_last(kubectl: Kubectl) -> None:
    """An event may have no last timestamp: those come first."""
    newest = "jsonpath={range .items[*]}{.lastTimestamp}{'\\n'}{end}"
    assert kubectl("get", "events", "-A", "--sort-by=.lastTimestamp").startswith("NAMESPACE")
    lines = kubectl("get", "events", "-A", "--sort-by=.lastTimestamp", "-o", newest).split()
    stamps = [line for line in lines if line[0].isdigit()]
    assert stamps
    assert stamps == sorted(stamps)


def test_top_pods_shows_every_instance(target: Target, kubectl: Kubectl) -> None:
    done = kubectl.tried("top", "pods", "-A")
    if "Metrics API not available" in done.stderr:
        pytest.skip("this cluster has no metrics server")
    assert done.code == 0, done.stderr
    shown = {line.split()[1] for line in done.stdout.splitlines()[1:]}
    assert {instance.name for instance in target.instances()} - shown == set()


def test_logs_of_a_database_server_are_there(kubectl: Kubectl) -> None:
    assert len(kubectl("logs", "-n", "database", "postgresql-ha-postgresql-0").splitlines()) > 5


def test_the_sentinels_name_every_master(target: Target, kubectl: Kubectl) -> None:
    command = ("redis-cli", "-p", "26379", "sentinel", "masters")
    said = kubectl("exec", "-n", "database", "redis-sentinel-0", "--", *command).split()
    named = {said[place + 1] for place, word in enumerate(said[:-1]) if word == "name"}
    assert named == {f"set-{number + 1}" for number in {i.ordinal for i in target.instances("redis")}}


def test_redis_answers_ping_to_whoever_knows_the_password(kubectl: Kubectl) -> None:
    """As the document has it (finding 20) nothing is answered but that a password is needed."""
    written = kubectl.tried("exec", "-n", "database", "redis-master-0", "--", "redis-cli", "ping")
    assert "NOAUTH" in written.stdout + written.stderr
    corrected = ("sh", "-c", "REDISCLI_AUTH=$(cat /secrets/redis-password) redis-cli ping")
    assert kubectl("exec", "-n", "database", "redis-master-0", "--", *corrected).strip() == "PONG"


def test_deploy_umbrella_status_says_that_all_is_ready(target: Target) -> None:
    """Asked of the library behind the script, which prints the same."""
    from chaosblink.targets.kubernetes.release import Release

    release = Release(cluster.of(target).api.cluster, lambda _: None)
    assert release.helm_status() == "deployed"
    assert release.unready() == []
    assert [one.name for one in release.workloads() if not one.whole] == []


NOT_TRIED = {
    "scripts/create-kind-cluster.sh": "it made the cluster this runs on, and two of them cannot stand side by side",
    "scripts/deploy-umbrella.sh install": "it installed the release this runs on: a second one has no place beside it",
    "scripts/setup-mailu-secrets.sh": "Mailu is not deployed",
    "helm upgrade --set redis.master.replicaCount=5": "tried by no procedure yet; the chart renders it (tests/chart)",
}


@pytest.mark.parametrize("command", NOT_TRIED)
def test_not_tried_here(command: str) -> None:
    pytest.skip(NOT_TRIED[command])
