"""What the tests of the components share: a Redis set with three Sentinels, as processes on loopback addresses."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chaosblink.components import of
from chaosblink.targets import Instance
from chaosblink.waiting import until

PASSWORD = "only-for-this-test"
PORT = 17379


def _process_target() -> ModuleType:
    path = Path(__file__).parents[1] / "faults" / "process_target.py"
    spec = importlib.util.spec_from_file_location("process_target", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("process_target", module)
    spec.loader.exec_module(module)
    return module


process_target = _process_target()


@pytest.fixture(scope="module")
def redis_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process_target.ProcessTarget]:  # type: ignore[name-defined]
    state = tmp_path_factory.mktemp("redis")
    (state / "redis-password").write_text(PASSWORD)
    made = process_target.ProcessTarget(state)
    made.add(*_redis(state, "redis-master-0", "127.61.0.1", ""))
    made.add(*_redis(state, "redis-replica-0", "127.61.0.2", f"replicaof 127.61.0.1 {PORT}"))
    until(lambda: of(made, "redis").healthy(made.named("redis-replica-0")), 20, "the replica is attached")
    for ordinal in range(3):
        made.add(*_sentinel(state, ordinal))
    yield made
    made.end()


def _redis(state: Path, name: str, address: str, role: str) -> tuple[Instance, list[str]]:
    home = state / name
    home.mkdir()
    lines = [f"dir {home}", f"bind {address}", f"bind-source-addr {address}", f"port {PORT}", 'save ""', role]
    lines += [f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", "min-replicas-to-write 1", "logfile server.log"]
    lines += [f"replica-announce-ip {address}", "repl-diskless-sync-delay 0"]
    (home / "redis.conf").write_text("\n".join(lines))
    return Instance(name, "redis", 0, address, PORT, ""), ["redis-server", str(home / "redis.conf")]


def _sentinel(state: Path, ordinal: int) -> tuple[Instance, list[str]]:
    name, address = f"sentinel-{ordinal}", f"127.61.0.{10 + ordinal}"
    home = state / name
    home.mkdir()
    lines = [f"dir {home}", f"bind {address}", f"port {PORT}", "logfile server.log", f"sentinel announce-ip {address}"]
    lines += [f"sentinel monitor set-1 127.61.0.1 {PORT} 2", f"sentinel auth-pass set-1 {PASSWORD}"]
    lines += ["sentinel down-after-milliseconds set-1 2000", "sentinel failover-timeout set-1 3000"]
    (home / "sentinel.conf").write_text("\n".join(lines))
    return Instance(name, "sentinel", ordinal, address, PORT, ""), [
        "redis-server",
        str(home / "sentinel.conf"),
        "--sentinel",
    ]
