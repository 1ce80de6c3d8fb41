"""The agent, over mTLS, against real processes: what it does, what it refuses, and what it undoes by itself."""

from __future__ import annotations

import os
import signal
import ssl
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from chaosblink.agent import certificates
from chaosblink.agent.cgroups import Cgroups
from chaosblink.agent.client import SERVER_NAME, Credentials, Reply
from chaosblink.agent.token import digest
from chaosblink.agent.verbs import Guardian
from chaosblink.faults import by_agents, journal, processes
from chaosblink.faults.injection import inject
from chaosblink.faults.undo import rollback
from chaosblink.observer import agent_cpu
from chaosblink.observer.spec import AgentCpu
from chaosblink.targets import Instance, PlatformError
from chaosblink.targets.local.secret_files import write_private
from chaosblink.waiting import until


def _states(pids: list[int]) -> set[str]:
    return {psutil.Process(pid).status() for pid in pids}


def _body(victims: list[dict[str, Any]], fault: str, **more: Any) -> dict[str, Any]:
    return {"fault": fault, "victims": victims, "arguments": {}, "ttl": 60, "selector": "", **more}


def _victims(agent: Any, *asked: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = agent.client().ask("lifetimes", {"pods": list(asked)}).result
    return found


def _pids(victims: list[dict[str, Any]]) -> list[int]:
    return [int(pid) for victim in victims for pid in victim["processes"]]


def test_a_life_is_the_servers_processes_and_nobody_elses(agent: Any, pods: Any) -> None:
    (victim,) = _victims(agent, pods.add("postgresql-0"))
    assert len(victim["processes"]) == 3
    assert victim["pid"] == pods.boxes[1].pid  # 0 is the sandbox, 2 the box beside
    assert pods.server("postgresql-0") not in victim["place"]["beside"]


def test_a_pause_freezes_the_server_alone_and_is_undone(agent: Any, pods: Any) -> None:
    victims = _victims(agent, pods.add("postgresql-0"))
    reply = agent.client().ask("pause", _body(victims, "pause"))
    assert _states(_pids(victims)) == {psutil.STATUS_STOPPED}
    assert psutil.STATUS_STOPPED not in _states([pods.boxes[0].pid, pods.boxes[2].pid])
    assert reply.received <= reply.result["t0"] <= reply.replied
    assert agent.client().ask("residue", _body(victims, "pause")).result
    (line,) = agent.client().ask("undo", _body(victims, "pause")).result
    assert "nothing is left" in line
    assert psutil.STATUS_STOPPED not in _states(_pids(victims))
    assert agent.client().ask("residue", _body(victims, "pause")).result == []
    assert agent.client().ask("undo", _body(victims, "pause")).result == []


def test_a_kill_ends_the_server_and_spares_what_is_beside_it(agent: Any, pods: Any) -> None:
    asked = pods.add("postgresql-0")
    victims = _victims(agent, asked)
    agent.client().ask("kill", _body(victims, "kill"))
    assert pods.boxes[1].wait(5) == -signal.SIGKILL
    assert pods.boxes[2].poll() is None
    assert agent.client().ask("residue", _body(victims, "kill")).result == ["postgresql-0 is down"]
    pods.run(asked["uid"], "f" * 64, ["sleep", "600"])  # the kubelet's new container
    assert agent.client().ask("residue", _body(victims, "kill")).result == []
    agent.client().ask("undo", _body(victims, "kill"))


class Cuts:
    """A partition that only writes down what it is asked: the boxes here have no network of their own."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def cut(self, _pid: int, _inbound: bool, _outbound: bool, spared: list[str] | None = None, **_ways: bool) -> None:
        self.asked.append(spared)

    def mend(self, _pid: int) -> None:
        self.asked.append("mend")

    def dropped(self, _pid: int) -> int | None:
        return 1 if self.asked and self.asked[-1] != "mend" else None


def test_a_kill_that_stays_down_cuts_the_pod_off_until_it_is_undone(
    agent: Any, pods: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = Cuts()
    monkeypatch.setattr(cuts, "cut", lambda _pid, inbound, outbound: cuts.asked.append((inbound, outbound)))
    monkeypatch.setattr(agent.node, "_partition", cuts)
    asked = pods.add("postgresql-0")
    body = _body(_victims(agent, asked), "kill") | {"arguments": {"stays_down": True}}
    agent.client().ask("kill", body)
    pods.run(asked["uid"], "f" * 64, ["sleep", "600"])  # the kubelet's new container
    assert cuts.asked == [(True, True)]
    agent.client().ask("undo", body)
    assert cuts.asked == [(True, True), "mend"]


def test_a_partition_spares_the_runs_clients_only_when_it_says_so(
    agent: Any, pods: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = Cuts()
    monkeypatch.setattr(agent.node, "_partition", cuts)
    body = _body(_victims(agent, pods.add("redis-0", "redis")), "isolate") | {"run_addresses": ["198.19.64.9"]}
    agent.client().ask("isolate", body | {"arguments": {"clients": False}})
    agent.client().ask("isolate", body)
    assert cuts.asked == [["198.19.64.9"], []]
    with pytest.raises(PlatformError, match="did not say where its clients are"):
        agent.client().ask("isolate", body | {"arguments": {"clients": False}, "run_addresses": []})


def test_a_namespace_without_the_label_is_not_touched(agent: Any, pods: Any) -> None:
    victims = _victims(agent, pods.add("postgresql-0"))
    pods.labelled = False
    with pytest.raises(PlatformError, match="does not carry"):
        agent.client().ask("pause", _body(victims, "pause"))
    assert psutil.STATUS_STOPPED not in _states(_pids(victims))


def test_a_pod_of_another_life_or_node_is_refused(agent: Any, pods: Any) -> None:
    asked = pods.add("postgresql-0")
    with pytest.raises(PlatformError, match="is not on worker2"):
        _victims(agent, {**asked, "uid": "0" * 8 + asked["uid"][8:]})
    pods.pods["postgresql-0"]["spec"]["nodeName"] = "worker3"
    with pytest.raises(PlatformError, match="is not on worker2"):
        _victims(agent, asked)


def test_a_process_outside_the_pod_is_refused_whatever_the_run_says(agent: Any, pods: Any) -> None:
    (victim,) = _victims(agent, pods.add("postgresql-0"))
    stranger = pods.boxes[2].pid
    victim["processes"][str(stranger)] = processes.started(stranger)
    with pytest.raises(PlatformError, match="are not those of postgresql-0"):
        agent.client().ask("kill", _body([victim], "kill"))
    assert all(box.poll() is None for box in pods.boxes)


def test_an_empty_uid_is_no_pod(pods: Any) -> None:
    pods.add("postgresql-0")
    with pytest.raises(ValueError, match="no UID of a pod"):
        Cgroups(pods.proc).of("")


@pytest.mark.parametrize("verb", ["stop", "exec"])
def test_there_is_no_other_verb(agent: Any, verb: str) -> None:
    with pytest.raises(PlatformError, match=r"no verb|404"):
        agent.client().ask(verb, {})


def test_a_ttl_is_needed_and_bounded(agent: Any, pods: Any) -> None:
    victims = _victims(agent, pods.add("postgresql-0"))
    for ttl in (0, -1, 7200):
        with pytest.raises(PlatformError, match="a time to live lies between"):
            agent.client().ask("pause", _body(victims, "pause", ttl=ttl))


def test_no_answer_without_the_runs_token(agent: Any, tmp_path: Path, pods: Any) -> None:
    write_private(tmp_path / "guessed", b"guessed")
    with pytest.raises(PlatformError, match="not the present run's"):
        agent.client(Credentials(tmp_path / "run", tmp_path / "guessed")).ask("contact", {})
    pods.digest = ""  # the run is over
    with pytest.raises(PlatformError, match="not the present run's"):
        agent.client(Credentials(tmp_path / "run", tmp_path / "guessed")).ask("contact", {})


def test_a_token_is_refused_soon_after_its_run_is_over(agent: Any, pods: Any) -> None:
    agent.client().ask("contact", {})
    pods.digest = digest("the next run's")

    def refused() -> bool:
        try:
            agent.client().ask("contact", {})
        except PlatformError:
            return True
        return False

    until(refused, 5, "the old token is refused")


def test_the_token_holds_while_the_api_is_away(agent: Any, pods: Any) -> None:
    agent.client().ask("contact", {})
    pods.away = True
    agent.permission._asked = -9e9
    agent.client().ask("contact", {})


def test_no_answer_without_a_certificate(agent: Any, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=str(tmp_path / "run" / "ca.crt"))
    with httpx.Client(verify=context) as bare, pytest.raises(httpx.HTTPError):
        bare.post(f"https://127.0.0.1:{agent.port}/v1/contact", json={}, extensions={"sni_hostname": SERVER_NAME})


@pytest.mark.parametrize("whose", ["another cluster's", "an agent's"])
def test_no_answer_to_a_certificate_that_is_not_a_runs(agent: Any, tmp_path: Path, whose: str) -> None:
    place = tmp_path / "agent"
    if whose == "another cluster's":
        place = tmp_path / "foreign"
        place.mkdir()
        _, runs = certificates.issue()
        for name, content in {**runs, "ca.crt": (tmp_path / "run" / "ca.crt").read_bytes()}.items():
            write_private(place / name, content)
    with pytest.raises(PlatformError, match="does not answer"):
        agent.client(Credentials(place, tmp_path / "token")).ask("contact", {})


def test_a_fault_ends_at_its_time_to_live_although_the_run_is_there(agent: Any, pods: Any) -> None:
    victims = _victims(agent, pods.add("postgresql-0"))
    client = agent.client()
    client.ask("pause", _body(victims, "pause", ttl=1))

    def mended() -> bool:
        client.ask("contact", {})
        return psutil.STATUS_STOPPED not in _states(_pids(victims))

    until(mended, 5, "the fault expired", every=0.1)


def test_a_fault_ends_when_the_run_is_lost(agent: Any, pods: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guardian, "CONTACT_S", 1.0)
    victims = _victims(agent, pods.add("postgresql-0"))
    agent.client().ask("pause", _body(victims, "pause", ttl=600))
    assert _states(_pids(victims)) == {psutil.STATUS_STOPPED}
    until(lambda: psutil.STATUS_STOPPED not in _states(_pids(victims)), 5, "the fault ended with its run")
    until(lambda: journal.open_faults(agent.node) == [], 5, "it is closed")


def test_an_agent_mends_what_its_earlier_life_left(agent: Any, pods: Any) -> None:
    victims = _victims(agent, pods.add("postgresql-0"))
    entry = journal.plan(agent.node, "pause", {}, "", [journal.victim_of(v) for v in victims], 600)
    for pid in _pids(victims):
        os.kill(pid, signal.SIGSTOP)
    until(lambda: _states(_pids(victims)) == {psutil.STATUS_STOPPED}, 5, "it is as after a kill of the agent")
    agent.stop()
    pods.away = True  # mending asks nobody
    agent.start()
    assert psutil.STATUS_STOPPED not in _states(_pids(victims))
    assert not journal.path(agent.node, entry.id).exists()


def test_stopping_an_agent_mends_everything(agent: Any, pods: Any) -> None:
    victims = _victims(agent, pods.add("postgresql-0"))
    agent.client().ask("pause", _body(victims, "pause", ttl=600))
    agent.stop()
    assert psutil.STATUS_STOPPED not in _states(_pids(victims))
    agent.start()


def test_cpu_is_told_a_pod(agent: Any, pods: Any) -> None:
    asked = pods.add("postgresql-0")
    (cpu, resident) = agent.client().ask("cpu", {"pods": [asked]}).result["postgresql-0"]
    assert cpu >= 0
    assert resident > 0


def test_the_observer_samples_cpu_through_agents(agent: Any, pods: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pods.add("postgresql-0")
    monkeypatch.setattr(agent_cpu, "Agent", lambda _node, _address, credentials: agent.client(credentials))
    files = (str(agent.credentials.tls), str(agent.credentials.token_file))
    spec = AgentCpu(*files, {"worker2": "127.0.0.1"}, {"worker2": [asked]}, {"postgresql-0": "postgresql"})
    sampler = agent_cpu.AgentSampler(spec)
    assert sampler.sample() == []
    (event,) = sampler.sample()
    assert event.data["instance"] == "postgresql-0"
    assert event.data["component"] == "postgresql"
    assert event.data["percent"] >= 0
    assert event.data["rss"] > 0
    pods.digest = ""
    agent.permission._digest = ""
    assert sampler.sample() == []  # no answer is no sample, and no zero


class Cluster:
    """As much of a cluster's target as faults need."""

    kind, name, options = "kubernetes", "agents-test", ""

    def __init__(self, agent: Any, asked: dict[str, dict[str, str]], state: Path) -> None:
        self._agent, self._asked, self.state = agent, asked, state

    def instances(self, component: str | None = None) -> list[Instance]:
        found = [Instance(name, "postgresql", n, "", 0, "worker2") for n, name in enumerate(sorted(self._asked))]
        return [instance for instance in found if component in (None, instance.component)]

    def lifetime(self, instance: Instance) -> str:
        return instance.name

    def agent(self, node: str) -> Any:
        assert node == "worker2"
        return self._agent.client()

    def pod_reference(self, instance: Instance) -> dict[str, str]:
        return self._asked[instance.name]


@pytest.fixture
def cluster(agent: Any, pods: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(by_agents, "_kept", {})
    monkeypatch.setattr("chaosblink.faults.reverter.arm", lambda _: None)
    asked = {name: pods.add(name) for name in ("postgresql-0", "postgresql-1")}
    return Cluster(agent, asked, tmp_path / "run-state")


def test_an_experiment_breaks_pods_by_the_same_words(cluster: Any) -> None:
    before = time.monotonic_ns()
    effect = inject(cluster, "pause", "postgresql/*", ttl=60)
    assert [victim.instance for victim in effect.victims] == ["postgresql-0", "postgresql-1"]
    assert before < effect.t0 < time.monotonic_ns()
    assert all(_states(list(victim.processes)) == {psutil.STATUS_STOPPED} for victim in effect.victims)
    assert [entry["instance"] for entry in effect.proof["victims"]] == ["postgresql-0", "postgresql-1"]
    bracket = effect.proof["bracket"]
    assert bracket["earliest"] == effect.t0 <= bracket["latest"] < time.monotonic_ns()
    assert bracket["uncertain"] == (bracket["ms"] > 20)
    (line,) = rollback(cluster)
    assert "undone, nothing is left" in line
    assert all(psutil.STATUS_STOPPED not in _states(list(victim.processes)) for victim in effect.victims)


def test_moments_of_the_agents_clock_are_put_on_the_runs() -> None:
    reply = Reply({}, sent=1000, received=500_000, replied=500_400, got=1600)
    assert reply.earliest(500_100) == 1100
    assert reply.bracket_ns == 200
    proof = {"asked": 500_050, "victims": [{"instance": "a", "pid": 500_001, "pids_gone_at": {"7": 500_100}}]}
    assert by_agents._on_our_clock(proof, reply) == {
        "asked": 1050,
        "victims": [{"instance": "a", "pid": 500_001, "pids_gone_at": {"7": 1100}}],
    }


def test_what_agents_cannot_do_is_an_error_before_anything_is_touched(cluster: Any) -> None:
    with pytest.raises(PlatformError, match="stop is no fault of a cluster's agents"):
        inject(cluster, "stop", "postgresql/any")
    with pytest.raises(PlatformError, match="has no argument"):
        inject(cluster, "kill", "postgresql/any", inbound=True)
    assert journal.open_faults(cluster) == []
