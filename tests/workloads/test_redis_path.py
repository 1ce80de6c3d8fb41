"""The Redis writer against a real server and a real Sentinel, and the ruler: a known pause must be read back."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest
import redis
import uvloop

from chaosblink.checkers.outage import outage
from chaosblink.history import Operation, read_operations
from chaosblink.targets import Instance
from chaosblink.workloads.__main__ import path_of
from chaosblink.workloads.final_reads import read_all
from chaosblink.workloads.prober import Prober
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.spec import PathSpec, RedisRoute, Spec

INTERVAL_MS = 10


@pytest.fixture
def spec(redis_server: object, sentinel: object, password_file: Path, tmp_path: Path) -> Spec:
    instances = [
        Instance("redis-master-0", "redis", 0, "127.0.0.1", redis_server.port, ""),  # type: ignore[attr-defined]
        Instance("sentinel-0", "sentinel", 0, "127.0.0.1", sentinel.port, ""),  # type: ignore[attr-defined]
    ]
    paths = [PathSpec("redis-1/persistent", INTERVAL_MS, 150), PathSpec("redis-1/fresh", 25, 150)]
    return Spec("run-1", str(tmp_path), paths, instances, redis=RedisRoute(str(password_file)))


async def probe(spec: Spec, path: PathSpec, during: object) -> list[Operation]:
    """Operations of one path while `during` (an async function) runs."""
    recorder, stopping = Recorder(Path(spec.folder), [path.path]), asyncio.Event()
    probing = asyncio.create_task(Prober(path, path_of(spec, path), recorder, "t").run(time.monotonic_ns(), stopping))
    await during()  # type: ignore[operator]
    stopping.set()
    await probing
    recorder.flush()
    return read_operations(Path(spec.folder) / "history.jsonl")


@pytest.mark.parametrize("kind", [0, 1])
def test_acknowledged_ids_are_the_elements_of_the_list(spec: Spec, kind: int) -> None:
    operations = asyncio.run(probe(spec, spec.paths[kind], lambda: asyncio.sleep(0.5)))
    assert {(op.outcome, op.server) for op in operations} == {("ok", "redis-master-0")}
    read = read_all(spec)[0]
    assert (read.store, read.instance, read.role, read.complete) == ("redis-1", "redis-master-0", "master", True)
    assert sorted(read.ids) == sorted(op.id for op in operations)


def test_a_replica_in_the_masters_place_fails_certainly(spec: Spec, redis_server: object) -> None:
    client = redis.Redis("127.0.0.1", redis_server.port, password="only-for-this-test")  # type: ignore[attr-defined]
    client.replicaof("127.0.0.1", 1)
    operations = asyncio.run(probe(spec, spec.paths[0], lambda: asyncio.sleep(0.3)))
    assert {op.outcome for op in operations} == {"fail"}
    # after a READONLY the Sentinels are asked again, and on a busy machine that can outlast an operation's deadline
    assert {"READONLY"} <= {op.reason for op in operations} <= {"READONLY", "deadline-before-sending"}


def test_no_sentinel_means_never_sent(spec: Spec, sentinel: object) -> None:
    sentinel.end()  # type: ignore[attr-defined]
    operations = asyncio.run(probe(spec, spec.paths[0], lambda: asyncio.sleep(0.3)))
    assert {op.outcome for op in operations} == {"fail"}
    assert {op.reason for op in operations} <= {"no-master", "deadline-before-sending"}


@pytest.mark.measures_time
def test_a_pause_of_about_a_second_is_read_within_two_intervals(spec: Spec, redis_server: object) -> None:
    """The ruler (docs/measuring.md rule 9): median of five pauses whose true length is recorded beside them."""
    pauses: list[tuple[int, int]] = []

    async def pause_five_times() -> None:
        await asyncio.sleep(1)
        for _ in range(5):
            redis_server.pause()  # type: ignore[attr-defined]
            began = time.monotonic_ns()
            await asyncio.sleep(1)
            pauses.append((began, time.monotonic_ns()))
            redis_server.resume()  # type: ignore[attr-defined]
            await asyncio.sleep(3.6)

    operations = uvloop.run(probe(spec, spec.paths[0], pause_five_times))
    errors = []
    for began, ended in pauses:
        window = [op for op in operations if op.start < ended + 3_500_000_000]
        read = outage(window, began, spec.paths[0].path)
        assert read.ms is not None, read.why
        errors.append(abs(read.ms - (ended - began) / 1e6))
    print(f"errors in ms: {[round(error, 1) for error in errors]}")
    assert statistics.median(errors) <= 2 * INTERVAL_MS
