"""The program as it is started: status, health, metrics, SIGTERM, and bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventrelay.settings import Settings
from relay_servers import LOOPBACK, Postgres, Redis, free_port, tell, until


@pytest.fixture
def environment(settings: Settings, tmp_path: Path) -> dict[str, str]:
    for name, value in (("database", settings.database_password), ("redis", settings.redis_password)):
        (tmp_path / name).write_text(value)
    return {
        **os.environ,
        "INSTANCE": "eventrelay-0",
        "ADDRESS": LOOPBACK,
        "PORT": str(free_port()),
        "DATABASE_HOST": LOOPBACK,
        "DATABASE_PORT": str(settings.database_port),
        "DATABASE_NAME": "zitadel",
        "DATABASE_USER": "zitadel",
        "DATABASE_PASSWORD_FILE": str(tmp_path / "database"),
        "REDIS_HOST": LOOPBACK,
        "REDIS_PORT": str(settings.redis_port),
        "REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
        "EVENTS_BATCH_MS": "50",
    }


@pytest.fixture
def relay(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen]:
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "eventrelay", "relay"], env=environment, stderr=log)
    yield process
    process.kill()
    process.wait(5)


def ask(environment: dict[str, str], path: str) -> str:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{environment['PORT']}{path}", timeout=2) as answer:
        return answer.read().decode()


def test_a_relay_tells_its_role_its_settings_and_what_it_sent(
    relay: subprocess.Popen, environment: dict[str, str], postgres: Postgres, redis: Redis, tmp_path: Path
) -> None:
    until(lambda: ask(environment, "/healthz") == "ok", 10, "the relay is healthy")
    with postgres.connect() as connection:
        tell(connection, ["a", "b"])
    until(lambda: 'eventrelay_events_sent_total{queue="high"} 2.0' in ask(environment, "/metrics"), 5, "both are sent")
    told = json.loads(ask(environment, "/status"))
    assert (told["role"], told["healthy"], told["trouble"]) == ("active", True, "")
    assert told["settings"]["batch_ms"] == 50
    metrics = ask(environment, "/metrics")
    assert "eventrelay_lag_seconds" in metrics
    assert 'eventrelay_queue_depth{queue="low"} 0.0' in metrics
    with pytest.raises(urllib.error.HTTPError):
        ask(environment, "/secrets")
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(5) == 0
    log = (tmp_path / "log").read_text()
    assert postgres.password not in log
    assert redis.password not in log


def test_without_its_database_it_is_not_healthy(environment: dict[str, str]) -> None:
    environment["DATABASE_PORT"] = str(free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "eventrelay", "relay"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        told = until(lambda: json.loads(ask(environment, "/status")), 10, "it answers")
        until(lambda: "postgresql" in json.loads(ask(environment, "/status"))["trouble"], 5, "it says what is wrong")
        assert not told["healthy"]
        with pytest.raises(urllib.error.HTTPError, match="503"):
            ask(environment, "/healthz")
    finally:
        process.kill()
        process.wait(5)


@pytest.mark.parametrize("arguments", [[], ["reley"], ["relay", "consumer"]])
def test_a_wrong_command_is_one_line_and_exit_code_2(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "eventrelay", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
