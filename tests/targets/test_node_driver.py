"""The driver of node faults, over mTLS, with processes for nodes: what it breaks, refuses, and mends by itself."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaosblink.agent.verbs import Guardian
from chaosblink.faults import OF_NODES, by_agents, journal
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import residue, rollback
from chaosblink.node_driver import beside, nodes
from chaosblink.node_driver.engine import Container, Engine, of_cluster
from chaosblink.targets import Instance, PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.waiting import until


def _victims(driver: Any, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = driver.client().ask("lifetimes", {"pods": [asked]}).result
    return found


def _body(victims: list[dict[str, Any]], fault: str, **more: Any) -> dict[str, Any]:
    return {"fault": fault, "victims": victims, "arguments": {}, "ttl": 60, "selector": "", **more}


def _running(driver: Any, name: str) -> bool:
    return any(node.name == name and node.status == "running" for node in driver.engine.nodes())


def test_a_node_is_killed_and_comes_back_at_its_old_address(driver: Any) -> None:
    victims = _victims(driver, name="worker")
    reply = driver.client().ask("kill", _body(victims, "kill"))
    assert reply.received <= reply.result["t0"] <= reply.replied
    assert not _running(driver, "worker")
    assert driver.client().ask("residue", _body(victims, "kill")).result == ["worker is down"]
    (line,) = driver.client().ask("undo", _body(victims, "kill")).result
    assert "nothing is left" in line
    assert driver.engine.told == ["kill worker", "start worker net 198.19.0.5"]
    assert _running(driver, "worker")
    assert driver.client().ask("residue", _body(victims, "kill")).result == []


def test_a_node_at_another_address_is_not_back(driver: Any) -> None:
    victims = _victims(driver, name="worker")
    driver.client().ask("kill", _body(victims, "kill"))
    driver.client().ask("undo", _body(victims, "kill"))
    driver.engine.address["worker"] = "198.19.0.9"
    (line,) = driver.client().ask("residue", _body(victims, "kill")).result
    assert line == "worker is at 198.19.0.9 and was at 198.19.0.5"


def test_a_node_is_frozen_and_goes_on(driver: Any) -> None:
    victims = _victims(driver, name="worker")
    pid = driver.engine.processes["worker"].pid
    driver.client().ask("pause", _body(victims, "pause"))
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    assert driver.client().ask("residue", _body(victims, "pause")).result == ["worker is frozen"]
    driver.client().ask("undo", _body(victims, "pause"))
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED
    assert driver.client().ask("residue", _body(victims, "pause")).result == []


def test_a_kill_that_does_not_bite_is_an_error_and_leaves_nothing(driver: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("chaosblink.node_driver.faults.DEATH_S", 0.2)
    driver.engine.broken = True
    with pytest.raises(PlatformError, match="is still there"):
        driver.client().ask("kill", _body(_victims(driver, name="worker"), "kill"))
    assert _running(driver, "worker")
    assert journal.open_faults(driver.node) == []


def test_the_suites_node_is_never_a_victim(driver: Any) -> None:
    with pytest.raises(PlatformError, match="suite carries the suite"):
        _victims(driver, name="suite")
    (victim,) = _victims(driver, name="worker")
    (suite,) = [node for node in driver.engine.nodes() if node.name == "suite"]
    forged = {**victim, "instance": "suite", "place": {**victim["place"], "name": "suite", "uid": suite.id}}
    with pytest.raises(PlatformError, match="suite carries the suite"):
        driver.client().ask("kill", _body([forged], "kill"))
    assert _running(driver, "suite")


@pytest.mark.parametrize("asked", [{"name": "stranger"}, {"name": "worker", "uid": "id-of-cp"}, {"role": "worker"}])
def test_what_is_no_node_of_the_cluster_or_no_single_one_is_refused(driver: Any, asked: dict[str, str]) -> None:
    with pytest.raises(PlatformError, match="0 nodes"):
        _victims(driver, **asked)


def test_a_process_that_is_not_the_nodes_is_refused_whatever_the_run_says(driver: Any) -> None:
    (victim,) = _victims(driver, name="worker")
    (other,) = _victims(driver, name="cp")
    victim["processes"] |= other["processes"]
    with pytest.raises(PlatformError, match="are not those of worker"):
        driver.client().ask("kill", _body([victim], "kill"))
    assert driver.engine.told == []


def test_one_node_is_broken_at_a_time(driver: Any) -> None:
    worker, control_plane = _victims(driver, name="worker"), _victims(driver, role="control-plane")
    with pytest.raises(PlatformError, match="one node is broken at a time"):
        driver.client().ask("kill", _body([*worker, *control_plane], "kill"))
    driver.client().ask("pause", _body(worker, "pause"))
    with pytest.raises(PlatformError, match="one node is broken at a time"):
        driver.client().ask("kill", _body(control_plane, "kill"))
    assert _running(driver, "cp")
    driver.client().ask("undo", _body(worker, "pause"))


@pytest.mark.parametrize("verb", ["stop", "cpu"])
def test_nodes_have_no_other_verb(driver: Any, verb: str) -> None:
    with pytest.raises(PlatformError, match=r"no verb|no CPU"):
        driver.client().ask(verb, {"pods": [{"name": "worker", "uid": "id-of-worker"}]})


def test_no_answer_without_the_runs_token(driver: Any, pods: Any) -> None:
    pods.digest = ""
    with pytest.raises(PlatformError, match="not the present run's"):
        _victims(driver, name="worker")


def test_a_fault_ends_when_the_run_is_lost(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guardian, "CONTACT_S", 1.0)
    driver.client().ask("kill", _body(_victims(driver, name="worker"), "kill", ttl=600))
    until(lambda: _running(driver, "worker"), 10, "the node is back")
    until(lambda: journal.open_faults(driver.node) == [], 10, "its fault is closed")


def test_a_fault_ends_at_its_time_to_live_although_the_run_is_there(driver: Any) -> None:
    client = driver.client()
    client.ask("kill", _body(_victims(driver, name="worker"), "kill", ttl=1))

    def back() -> bool:
        client.ask("contact", {})
        return _running(driver, "worker")

    until(back, 10, "the node is back")


def test_every_fault_has_a_detached_reverter_of_its_own(driver: Any) -> None:
    driver.client().ask("pause", _body(_victims(driver, name="worker"), "pause"))
    assert driver.armed == journal.open_faults(driver.node)
    driver.client().ask("undo", _body(_victims(driver, name="worker"), "pause"))


def test_a_driver_mends_what_its_earlier_life_left(driver: Any) -> None:
    victims = [journal.victim_of(victim) for victim in _victims(driver, name="worker")]
    driver.stop()
    journal.plan(driver.node, "kill", {}, "", victims, 600)
    driver.engine.kill("worker")  # it is as after a kill of the driver
    driver.start()
    assert driver.engine.told == ["kill worker", "start worker net 198.19.0.5"]
    assert _running(driver, "worker")


class Cluster:
    """As much of a cluster's target as node faults need: two pods on one node, one on another, none on a third."""

    kind, name, options = "kubernetes", "nodes-test", ""

    def __init__(self, driver: Any, state: Path) -> None:
        self._driver, self.state = driver, state

    def instances(self, component: str | None = None) -> list[Instance]:
        places = {"postgresql-0": "worker", "vault-1": "worker", "vault-2": "suite"}
        found = [Instance(name, name.split("-")[0], 0, "", 0, node) for name, node in places.items()]
        return [instance for instance in found if component in (None, instance.component)]

    def lifetime(self, instance: Instance) -> str:
        return instance.name

    def host(self) -> Any:
        return self._driver.client()


@pytest.fixture
def cluster(driver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(by_agents, "_kept", {})
    monkeypatch.setattr("chaosblink.faults.reverter.arm", lambda _: None)
    return Cluster(driver, tmp_path / "run-state")


def test_whoever_runs_on_the_node_is_a_victim_and_proven_to_be(cluster: Any, driver: Any) -> None:
    effect = inject(cluster, "node-kill", "postgresql/*", ttl=60)
    assert [victim.instance for victim in effect.victims] == ["postgresql-0", "vault-1"]
    assert [entry["instance"] for entry in effect.proof["victims"]] == ["postgresql-0", "vault-1"]
    assert {entry["node"] for entry in effect.proof["victims"]} == {"worker"}
    assert effect.proof["bracket"]["earliest"] == effect.t0
    assert not _running(driver, "worker")
    assert residue(cluster) != []
    (line,) = rollback(cluster)
    assert "node-kill of postgresql/* (postgresql-0, vault-1): undone, nothing is left" in line
    assert _running(driver, "worker")
    assert residue(cluster) == []


def test_a_node_without_instances_is_a_victim_by_its_own_name(cluster: Any, driver: Any) -> None:
    effect = inject(cluster, "node-pause", "control-plane", ttl=60)
    assert [victim.instance for victim in effect.victims] == ["cp"]
    assert [entry["instance"] for entry in effect.proof["victims"]] == ["cp"]
    rollback(cluster)
    assert _running(driver, "cp")


@pytest.mark.parametrize(
    ("selector", "why"), [("vault/*", "not on one node: suite, worker"), ("vault/any:2", "not on one node")]
)
def test_a_selector_that_names_two_nodes_breaks_none(cluster: Any, driver: Any, selector: str, why: str) -> None:
    with pytest.raises(PlatformError, match=why):
        inject(cluster, "node-kill", selector, ttl=60)
    assert driver.engine.told == []
    assert journal.open_faults(cluster) == []


def test_a_node_fault_has_no_argument_of_another(cluster: Any) -> None:
    with pytest.raises(PlatformError, match="node-kill has no argument stays_down"):
        inject(cluster, "node-kill", "postgresql/*", stays_down=True)


def test_without_a_driver_node_faults_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(names.HOST, raising=False)
    target = object.__new__(KubernetesTarget)
    assert all("kind cluster's host" in target.cannot(fault) for fault in OF_NODES)
    assert target.cannot("kill") == ""
    with pytest.raises(PlatformError, match="kind cluster's host"):
        target.host()
    monkeypatch.setenv(names.HOST, "198.19.0.1")
    assert [target.cannot(fault) for fault in OF_NODES] == ["", "", ""]


TOLD = {
    "Id": "abc",
    "Name": "/try-worker",
    "Config": {"Labels": {"io.x-k8s.kind.cluster": "try", "io.x-k8s.kind.role": "worker"}},
    "State": {"Status": "running", "Pid": 7, "StartedAt": "2026-11-24T17:30:32.243070896Z"},
    "NetworkSettings": {"Networks": {"kind": {"IPAddress": "172.18.0.3", "Gateway": "172.18.0.1"}}},
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine's command line: notes its arguments in a file, answers `ps` and `inspect`, and refuses `kill`."""
    place = tmp_path / "bin"
    place.mkdir()
    (tmp_path / "inspect").write_text(json.dumps([TOLD]))
    script = f"""#!/bin/sh
echo "$(basename "$0") $*" >>{tmp_path}/told
case $1 in
ps) case $* in *=try) echo abc ;; esac ;;
inspect) cat {tmp_path}/inspect ;;
kill) echo "no such container" >&2; exit 125 ;;
esac
"""
    for name in ("podman", "docker"):
        (place / name).write_text(script)
        (place / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    monkeypatch.setenv("CHAOSBLINK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "told"


def test_an_engine_tells_its_nodes(program: Path) -> None:
    engine = of_cluster("try")
    assert engine.program == "docker"
    (node,) = engine.nodes()
    assert replace(node, started=0) == Container(
        "try-worker", "abc", "worker", "running", 7, 0, "kind", "172.18.0.3", "172.18.0.1"
    )
    assert node.started == pytest.approx(1795541432.243, abs=0.001)
    assert "label=io.x-k8s.kind.cluster=try" in program.read_text()


def test_a_registry_free_clusters_nodes_are_in_podmans_own_store(program: Path, tmp_path: Path) -> None:
    (tmp_path / "cache" / "nodes" / "try").mkdir(parents=True)
    engine = of_cluster("try")
    assert engine.program == "podman"
    assert engine._environment["CONTAINERS_STORAGE_CONF"] == str(tmp_path / "cache" / "storage.conf")
    program.write_text("")
    engine.start("try-worker", "net", "198.19.0.5")
    assert program.read_text().splitlines() == [
        "podman network disconnect net try-worker",
        "podman network connect --ip 198.19.0.5 net try-worker",
        "podman start try-worker",
    ]


def test_docker_is_asked_for_no_address(program: Path) -> None:
    Engine("try", "docker", {}).start("try-worker", "kind", "172.18.0.3")
    assert program.read_text().splitlines() == ["docker start try-worker"]


def test_an_engine_that_refuses_or_knows_no_such_cluster_says_so_in_one_line(program: Path) -> None:
    assert program
    with pytest.raises(PlatformError, match="docker kill refused: no such container"):
        Engine("try", "docker", {}).kill("try-worker")
    with pytest.raises(PlatformError, match="no container engine of this machine has nodes of the kind cluster other"):
        of_cluster("other")


def test_what_a_killed_driver_has_left_is_undone_without_the_cluster(
    driver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAOSBLINK_STATE", str(tmp_path))
    monkeypatch.setattr(nodes, "of_cluster", lambda _: driver.engine)
    assert beside.undo_left("kind-try") == []
    assert beside.undo_left("a-cluster-of-somebodys") == []
    left = nodes.open_nodes("try")
    victims = [journal.victim_of(victim) for victim in _victims(driver, name="worker")]
    journal.plan(left, "kill", {}, "", victims, 600)
    driver.engine.kill("worker")
    with nodes.alone("try"), pytest.raises(PlatformError, match="a run breaks nodes of kind-try"):
        beside.undo_left("kind-try")
    assert not _running(driver, "worker")
    (line,) = beside.undo_left("kind-try")
    assert "undone, nothing is left" in line
    assert _running(driver, "worker")
