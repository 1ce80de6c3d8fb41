"""A run as a Job, against an API on loopback: its log is said once whatever breaks off, its folder comes back whole."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosblink import cluster_life
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import execution, fetch, job, values
from chaosblink.targets.kubernetes.api import Api, connect
from chaosblink.targets.kubernetes.fetch import Reader
from chaosblink.targets.kubernetes.manifests import render
from tests.targets import fake_api

PODS = "/api/v1/namespaces/chaosblink/pods"


class Applied:
    """Notes what a person's credentials would have put there and taken away."""

    def __init__(self, _api: Api) -> None:
        self.there: list[str] = []

    def apply(self, objects: list[dict[str, Any]]) -> None:
        self.there += [each["kind"] for each in objects]

    def remove(self, objects: list[dict[str, Any]]) -> None:
        for each in objects:
            self.there.remove(each["kind"])


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = fake_api.FakeApi(fake_api.platform())
    made.start()
    made.kubeconfig(tmp_path / "kubeconfig", "somewhere")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("CHAOSBLINK_TARGET", "kubernetes")
    monkeypatch.setenv("CHAOSBLINK_CONTEXT", "somewhere")
    monkeypatch.setattr(job, "Applier", Applied)
    monkeypatch.setattr(values, "of_release", lambda _: {"images": {"suite": "suite:1"}})
    yield made
    made.stop()


def _pod(state: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "run-x"}, "status": {"phase": "?", "containerStatuses": [{"state": state}]}}


class Container:
    """A container whose state is told by what was read of its log."""

    def __init__(self, cluster: Any, logs: list[str], exit_code: int) -> None:
        self.logs, self.exit_code, self.read = logs, exit_code, 0
        cluster.objects[PODS] = self.pods
        cluster.objects[f"{PODS}/run-x/log"] = self.log

    def pods(self, _query: Any) -> dict[str, Any]:
        over = self.read >= len(self.logs)
        return {"items": [_pod({"terminated": {"exitCode": self.exit_code}} if over else {"running": {}})]}

    def log(self, query: dict[str, list[str]]) -> str:
        assert query["follow"] == ["true"]
        self.read += 1
        return self.logs[self.read - 1]


def test_a_log_that_broke_off_is_taken_up_behind_the_last_line(cluster: Any) -> None:
    first = "2026-01-01T00:00:01.1Z one\n2026-01-01T00:00:01.2Z two\n"
    Container(cluster, [first, first + "2026-01-01T00:00:02.1Z three\n"], exit_code=1)
    said: list[str] = []
    assert job.Job(connect("x"), ["run"], "").run(said.append) == 1
    assert said == ["one", "two", "three"]


def test_no_line_is_lost_between_stamps_that_are_equal_or_lack_their_zeros(cluster: Any) -> None:
    stamps = ("01.1Z", "01.12Z", "01.12Z", "01.120000001Z")
    log = "".join(f"2026-01-01T00:00:{stamp} {n}\n" for n, stamp in enumerate(stamps))
    Container(cluster, [log], exit_code=0)
    said: list[str] = []
    job.Job(connect("x"), ["run"], "").run(said.append)
    assert said == ["0", "1", "2", "3"]


def test_a_conformance_run_brings_its_own_account_and_takes_it_away(cluster: Any) -> None:
    assert cluster
    made = job.Job(connect("x"), ["conformance"], "")
    there = list(made._applier.there)  # type: ignore[attr-defined]
    assert there[0] == "ConfigMap"
    assert there[-1] == "Job", "what it may do must be there before it starts"
    assert {"ServiceAccount", "ClusterRole", "RoleBinding", "Pod"} <= set(there)
    pod = made._objects[-1]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "chaosblink-conformance"
    made.remove()
    assert made._applier.there == ["ConfigMap"]  # type: ignore[attr-defined]


def test_any_other_run_has_the_account_of_runs_and_nothing_else(cluster: Any) -> None:
    assert cluster
    made = job.Job(connect("x"), ["run"], "")
    assert [each["kind"] for each in made._objects] == ["Job"]
    assert made._objects[0]["spec"]["template"]["spec"]["serviceAccountName"] == "chaosblink-run"


def test_what_a_conformance_run_may_do_is_no_more_than_this() -> None:
    """Nothing that makes, changes or deletes an object of the platform; secrets only by name."""
    roles = [each for each in render("conformance", image="i") if each["kind"] in ("ClusterRole", "Role")]
    rules = [rule for role in roles for rule in role["rules"]]
    assert rules
    for rule in rules:
        acts = set(rule["verbs"]) - {"get", "list"}
        assert acts == set() or set(rule["resources"]) <= {"pods/exec", "pods/eviction", "serviceaccounts/token"}, rule
        assert "secrets" not in rule["resources"] or rule["resourceNames"], rule
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]], rule


def test_a_rollback_mends_nodes_first_and_has_the_driver_beside_it(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Container(cluster, ["2026-01-01T00:00:01.1Z no fault was left\n"], exit_code=0)
    asked: list[str] = []

    def left(context: str) -> list[str]:
        asked.append(f"undo {context}")
        return ["worker: undone"]

    @contextlib.contextmanager
    def driver(context: str, _say: Any) -> Iterator[str]:
        asked.append(f"begin {context}")
        yield "198.19.0.1"
        asked.append("end")

    made: list[dict[str, Any]] = []
    monkeypatch.setattr(cluster_life, "undo_left", left)
    monkeypatch.setattr(cluster_life, "node_driver", driver)
    monkeypatch.setattr(Applied, "apply", lambda _, objects: made.extend(objects))
    monkeypatch.setattr(Applied, "remove", lambda *_: None)
    assert cluster_life.there("x", ["rollback"]) == 0
    assert asked == ["undo somewhere", "begin somewhere", "end"]
    environment = made[-1]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "CHAOSBLINK_NODE_DRIVER", "value": "198.19.0.1"} in environment
    assert "worker: undone" in capsys.readouterr().out


def test_a_pod_that_never_starts_says_why(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "STARTED_WITHIN_S", 0.3)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    cluster.objects[PODS] = {"items": [_pod(waiting)]}
    with pytest.raises(PlatformError, match="run-x: ImagePullBackOff no such image"):
        job.Job(connect("x"), ["run"], "").run(print)


def test_a_job_without_a_pod_points_to_allow(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "STARTED_WITHIN_S", 0.3)
    cluster.objects[PODS] = {"items": []}
    with pytest.raises(PlatformError, match="chaosblink allow --context somewhere"):
        job.Job(connect("x"), ["run"], "").run(print)


def test_a_pod_that_vanished_left_no_exit_code(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "ENDED_WITHIN_S", 0.3)
    container = Container(cluster, ["2026-01-01T00:00:01.1Z one\n"], exit_code=0)

    def vanish(query: Any) -> str:
        cluster.objects[PODS] = {"items": []}
        return container.log(query)

    cluster.objects[f"{PODS}/run-x/log"] = vanish
    with pytest.raises(PlatformError, match="left no exit code"):
        job.Job(connect("x"), ["run"], "").run(print)


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs' volume, as a reader's pod would see it: its commands run here."""
    runs = tmp_path / "volume" / "runs"
    round_one = runs / "20260101-000000-kind" / "postgresql-primary-kill" / "round-01"
    round_one.mkdir(parents=True)
    (round_one / "history.jsonl").write_text("{}\n" * 1000)
    monkeypatch.setattr(fetch, "RUNS", str(runs))

    def here(_api: Api, _place: object, command: list[str], output: Any, *_more: object) -> None:
        done = subprocess.run(command, capture_output=True, check=False)
        output.write(done.stdout)
        if done.returncode:
            raise PlatformError(f"{command[0]} ended with {done.returncode}")

    monkeypatch.setattr(execution, "execute", here)
    return runs


def test_a_folder_comes_back_whole_and_leaves_the_volume(cluster: Any, volume: Path, tmp_path: Path) -> None:
    assert cluster
    assert volume
    reader = Reader(connect("x"), "reader")
    assert reader.runs() == ["20260101-000000-kind"]
    place = reader.bring("20260101-000000-kind", tmp_path / "here")
    assert (place / "postgresql-primary-kill" / "round-01" / "history.jsonl").stat().st_size == 3000
    assert reader.runs() == []
    assert [each.name for each in place.parent.iterdir()] == ["20260101-000000-kind"]


def test_a_copy_that_broke_leaves_the_volume_as_it_was(cluster: Any, volume: Path, tmp_path: Path) -> None:
    assert cluster
    reader = Reader(connect("x"), "reader")
    with pytest.raises(PlatformError, match="tar ended with"):
        reader.bring("20260101-000000-other", tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []
    assert [each.name for each in volume.iterdir()] == ["20260101-000000-kind"]


def test_the_folder_of_a_job_that_died_comes_back_and_is_judged(
    cluster: Any, volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert volume
    Container(cluster, ["2026-01-01T00:00:01.1Z round 1\n"], exit_code=137)
    judged: list[Path] = []
    monkeypatch.setattr(cluster_life, "_conclude", judged.append)
    monkeypatch.setattr(cluster_life.run_folder, "RUNS", tmp_path / "here")
    monkeypatch.setattr(cluster_life, "reader", lambda api, _: contextlib.nullcontext(Reader(api, "reader")))
    monkeypatch.setattr(cluster_life.Job, "__init__", _named(cluster_life.Job.__init__))
    assert cluster_life.run("x", ["run", "--rounds=1"], (), False, print)[0] == 137
    (place,) = judged
    assert place.name.endswith("-kubernetes")
    assert (place / "postgresql-primary-kill" / "round-01" / "history.jsonl").exists()


def _named(made: Any) -> Any:
    def init(self: Any, *arguments: Any, folder: str, host: str) -> None:
        made(self, *arguments, folder=folder, host=host)
        (Path(fetch.RUNS) / "20260101-000000-kind").rename(Path(fetch.RUNS) / folder)

    return init


def test_nothing_of_a_kind_cluster_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHAOSBLINK_STATE", str(tmp_path))
    monkeypatch.setenv("CHAOSBLINK_TARGET", "kind")
    monkeypatch.setattr(cluster_life, "_script", lambda *_words: None)
    for kept in ("cluster-kind-x/secrets", "nodes-x/faults", "cluster-kind-other", "x"):
        (tmp_path / kept).mkdir(parents=True)
    cluster_life.down("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cluster-kind-other", "x"]
