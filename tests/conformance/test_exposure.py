"""Secrets are found in every writing and in the environment of a real process."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from chaosblink.conformance import exposure
from chaosblink.targets import Instance, Target
from chaosblink.waiting import until

SECRET = "s3cr3t/with+marks=and-some-length"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """As much of a platform as the search needs."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "redis-password").write_text(SECRET)
    (folder / "seal-key").write_bytes(bytes(range(32)))
    (folder / "done").write_text("2026-11-24T00:00:00Z")
    (folder / "init.json").write_text(
        json.dumps({"recovery_keys_base64": ["c2hhcmUtb25lLW9mLWZpdmUtb2YtdGhlLXNlYWw="]})
    )
    return cast(Target, SimpleNamespace(kind="local", secret_file=lambda name: folder / name))


def test_every_secret_is_searched_for(target: Target) -> None:
    assert set(exposure.writings(target).values()) == {"redis-password", "seal-key", "init.json"}


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "chaos"])
def test_base64_is_found_behind_anything(target: Target, user: str) -> None:
    header = b"Authorization: Basic " + base64.b64encode(f"{user}:{SECRET}@example".encode())
    assert exposure.named_in(header, exposure.writings(target)) == ["redis-password"]


def test_url_and_hexadecimal_are_found(target: Target) -> None:
    secrets = exposure.writings(target)
    assert exposure.named_in(urllib.parse.quote(SECRET, safe="").encode(), secrets) == ["redis-password"]
    assert exposure.named_in(b"key=" + bytes(range(32)).hex().encode(), secrets) == ["seal-key"]


def test_another_text_holds_none(target: Target) -> None:
    assert exposure.named_in(base64.b64encode(os.urandom(4096)), exposure.writings(target)) == []


@pytest.fixture
def carrier() -> Iterator[subprocess.Popen[bytes]]:
    """A process that carries the secret where it must not."""
    process = subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], "REDISCLI_AUTH": SECRET})
    until(lambda: psutil.Process(process.pid).name() == "sleep", 5, "the process is the one it shall be")
    yield process
    process.kill()
    process.wait()


def test_a_process_that_carries_one_is_named(target: Target, carrier: subprocess.Popen[bytes]) -> None:
    instance = Instance("redis-master-0", "redis", 0, "127.0.0.1", 6379, "")
    cast(Any, target).processes = lambda _: [carrier.pid]
    found = exposure.environments(target, instance)
    assert list(found) == [f"{carrier.pid} sleep"]
    assert exposure.named_in(found[f"{carrier.pid} sleep"], exposure.writings(target)) == ["redis-password"]


def test_no_process_is_no_pass(target: Target) -> None:
    instance = Instance("redis-master-0", "redis", 0, "127.0.0.1", 6379, "")
    cast(Any, target).processes = lambda _: []
    with pytest.raises(RuntimeError, match="no process"):
        exposure.environments(target, instance)
