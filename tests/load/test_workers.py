"""Locust's master and workers as pods, against Jobs that say what a master says: what they drive, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from chaosblink.load import workers
from chaosblink.load.workers import Load, drive
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.api import Api

API = cast(Api, None)


def entry(name: str, requests: int, failures: int = 0, began: float = 100.0, ended: float = 130.0) -> dict[str, Any]:
    return {
        "name": name,
        "num_requests": requests,
        "num_failures": failures,
        "start_time": began,
        "last_request_timestamp": ended,
    }


class Pods:
    """Jobs of a cluster: who is there, what each was asked, what the next master says."""

    def __init__(self) -> None:
        self.there: list[list[str]] = []
        self.made: list[list[str]] = []
        self.statistics: list[dict[str, Any]] = []
        self.before = ["Type     Name  # reqs"]

    def __call__(self, _api: Api, arguments: list[str], _options: str) -> Pods.Job:
        self.made.append(arguments)
        self.there.append(arguments)
        return Pods.Job(self, arguments)

    class Job:
        """One of them."""

        def __init__(self, pods: Pods, arguments: list[str]) -> None:
            self._pods, self._arguments = pods, arguments

        def address(self) -> str:
            return "198.19.64.7"

        def run(self, say: Callable[[str], None]) -> int:
            workers_there = [each for each in self._pods.there if "--worker" in each]
            expected = self._arguments[self._arguments.index("--expect-workers") + 1]
            assert len(workers_there) == int(expected)
            for line in [*self._pods.before, *json.dumps(self._pods.statistics, indent=4).splitlines(), "bye"]:
                say(line)
            return 0

        def remove(self) -> None:
            self._pods.there.remove(self._arguments)


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> Pods:
    made = Pods()
    monkeypatch.setattr(workers, "Job", made)
    return made


def test_the_same_load_with_each_number_of_workers(pods: Pods, tmp_path: Path) -> None:
    pods.statistics = [entry("token", 66, failures=6), entry("userinfo", 180), entry("machine-setup", 9)]
    said: list[str] = []
    file = drive(API, "", [1, 2], Load(users=4, seconds=30), tmp_path / "run", said.append)
    assert said == [
        "1 worker: 2.0 logins/s, 8.0 requests/s, 6 failed",
        "2 workers: 2.0 logins/s, 8.0 requests/s, 6 failed",
    ]
    assert [each["workers"] for each in json.loads(file.read_text())["driven"]] == [1, 2]
    assert pods.there == []
    masters = [each for each in pods.made if "--master" in each]
    assert all("--users" in each for each in masters)
    followers = [each for each in pods.made if "--worker" in each]
    assert all(each[each.index("--master-host") + 1] == "198.19.64.7" for each in followers)
    assert len(followers) == 3


def test_a_load_without_a_login_says_nothing_and_leaves_no_pod(pods: Pods, tmp_path: Path) -> None:
    pods.statistics = [entry("token", 5, failures=5), entry("userinfo", 5)]
    with pytest.raises(PlatformError, match="no login succeeded"):
        drive(API, "", [1, 2], Load(), tmp_path / "run", lambda _line: None)
    assert pods.there == []
    assert len(pods.made) == 2, "the next number was not begun"


def test_a_master_that_died_is_told_with_its_last_words(pods: Pods, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Pods.Job, "run", lambda _self, say: say("Gave up waiting for workers to connect"))
    with pytest.raises(PlatformError, match="Gave up waiting"):
        drive(API, "", [1], Load(), tmp_path / "run", lambda _line: None)
    assert pods.there == []
