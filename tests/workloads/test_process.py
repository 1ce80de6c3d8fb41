"""The workload and the observer as processes: how they report, stop, and end with the run that started them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaosblink.history import read_events, read_operations
from chaosblink.observer.spec import ObserverSpec, Processes
from chaosblink.targets import Instance
from chaosblink.waiting import until
from chaosblink.workloads.final_reads import read_all
from chaosblink.workloads.spec import PathSpec, PostgresqlRoute, RedisRoute, Spec

HERE = "127.0.0.1"


@pytest.fixture
def spec(instances: list[Instance], password_file: Path, tmp_path: Path) -> Spec:
    port = next(instance.port for instance in instances if instance.component == "postgresql")
    paths = [
        PathSpec("postgresql/persistent", 50, 3000),
        PathSpec("redis-1/persistent", 50, 3000),
        PathSpec("redis-1/fresh", 100, 3000),
    ]
    secret = str(password_file)
    return Spec(
        tmp_path.name, str(tmp_path), paths, instances, PostgresqlRoute(HERE, port, secret), redis=RedisRoute(secret)
    )


@contextmanager
def started(module: str, spec: Path) -> Iterator[subprocess.Popen[str]]:
    """A process as a run starts it; killed at the end if it still runs."""
    command = [sys.executable, "-m", module, str(spec)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def await_successes(process: subprocess.Popen[str], number: int) -> None:
    """Read status lines until every path has so many successes."""
    assert process.stdout is not None
    for line in process.stdout:
        if all(path["ok"] >= number for path in json.loads(line).values()):
            return
    raise AssertionError("the workload ended early")


def test_a_stopped_workload_has_written_every_operation_and_the_servers_hold_them(spec: Spec, tmp_path: Path) -> None:
    with started("chaosblink.workloads", spec.write(tmp_path / "spec.json")) as process:
        await_successes(process, 10)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        status = json.loads(process.stdout.read().splitlines()[-1])
        assert process.wait(timeout=10) == 0
    operations = read_operations(tmp_path / "history.jsonl")
    for path, counts in status.items():
        assert counts["due"] == sum(op.path == path for op in operations), path
        assert counts["ok"] == sum(op.path == path and op.outcome == "ok" for op in operations), path
    reads = {read.store: read for read in read_all(spec)}
    for store, read in reads.items():
        assert read.complete, read.why
        acknowledged = {op.id for op in operations if op.path.startswith(f"{store}/") and op.outcome == "ok"}
        assert acknowledged
        assert acknowledged <= set(read.ids)
    assert set(reads) == {"postgresql", "redis-1"}


def test_a_workload_ends_when_its_stdin_is_closed(spec: Spec, tmp_path: Path) -> None:
    with started("chaosblink.workloads", spec.write(tmp_path / "spec.json")) as process:
        await_successes(process, 1)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_a_killed_workload_loses_at_most_its_last_flush(spec: Spec, tmp_path: Path) -> None:
    with started("chaosblink.workloads", spec.write(tmp_path / "spec.json")) as process:
        await_successes(process, 20)
        process.kill()
    assert len([op for op in read_operations(tmp_path / "history.jsonl") if op.outcome == "ok"]) >= 50


@pytest.mark.parametrize(
    ("module", "empty"),
    [
        ("chaosblink.workloads", {"run": "r", "folder": ".", "paths": [], "instances": []}),
        ("chaosblink.observer", {"folder": ".", "focus": [], "instances": []}),
    ],
)
def test_a_spec_with_an_unknown_field_is_refused_with_status_2(
    module: str, empty: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(empty | {"surprise": 1}))
    ended = subprocess.run(
        [sys.executable, "-m", module, file], capture_output=True, text=True, check=False, timeout=90
    )
    assert ended.returncode == 2
    assert "surprise" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_observer_writes_roles_views_and_cpu(
    instances: list[Instance], password_file: Path, tmp_path: Path, redis_server: object
) -> None:
    home = str(redis_server.folder)  # type: ignore[attr-defined]
    secret = str(password_file)
    spec = ObserverSpec(
        str(tmp_path),
        ["redis", "sentinel"],
        instances,
        {"redis-master-0": Processes(directory=home)},
        redis_password_file=secret,
        postgresql_password_file=secret,
    )
    with started("chaosblink.observer", spec.write(tmp_path / "spec.json")) as process:
        until(lambda: _said(tmp_path, "role", "redis-master-0", "master"), 10, "the master is seen")
        until(lambda: _said(tmp_path, "role", "postgresql-0", "primary"), 10, "the primary is seen")
        until(lambda: _said(tmp_path, "view", "sentinel-0", "redis-master-0"), 10, "the Sentinel's view is seen")
        redis_server.pause()  # type: ignore[attr-defined]
        until(lambda: _said(tmp_path, "role", "redis-master-0", ""), 10, "the frozen master is seen")
        redis_server.resume()  # type: ignore[attr-defined]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    cpu = [event for event in read_events(tmp_path / "timeline.jsonl") if event.kind == "cpu"]
    assert any(event.data["instance"] == "redis-master-0" and event.data["rss"] > 1_000_000 for event in cpu)
    assert any(event.data["instance"] == "others" and event.data["cores"] >= 1 for event in cpu)


def _said(folder: Path, kind: str, instance: str, value: str) -> bool:
    events = read_events(folder / "timeline.jsonl")
    return any(
        event.kind == kind
        and event.data["instance"] == instance
        and event.data.get("role" if kind == "role" else "sees") == value
        for event in events
    )
