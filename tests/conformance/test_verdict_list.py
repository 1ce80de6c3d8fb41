"""Tests become verdicts, in one process and with xdist: each word, each why, and nothing secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaosblink.conformance.verdict_list import sentence

SUITE = """
import os
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("the server did not answer")

@pytest.fixture
def unclean():
    yield
    raise RuntimeError("something was left behind")

def test_every_node_votes(): pass
def test_every_redis_master_writes(record_property):
    record_property("measured", 12.5)
    record_property("bound", 20)
    record_property("unit", "ms")
def test_one_is_primary(): assert 1 == 2, "two say they are"
def test_asked(broken): pass
def test_left(unclean): pass
@pytest.mark.parametrize("path", ["sys/seal"])
def test_the_policy_denies(path): pytest.skip("no vault here")
def test_tells_a_secret(): assert False, "it is hunter2hunter2hunter2"
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="only a worker may die")
def test_dies(): os._exit(9)
"""
PROGRAM = """
import json, sys
from dataclasses import asdict
import pytest
from chaosblink.conformance.verdict_list import VerdictList, by_pytest
listed = VerdictList()
pytest.main([*sys.argv[1:], "-q", "-p", "no:cacheprovider", "--import-mode=importlib"], plugins=[listed])
found = listed.verdicts({b"hunter2hunter2hunter2": "redis-password"}, by_pytest)
print("\\n" + json.dumps([asdict(one) for one in found]))
"""


def verdicts(folder: Path, *options: str) -> dict[str, dict[str, Any]]:
    """The suite's verdicts by promise, from a process of its own."""
    place = folder / "suites" / "vault"
    place.mkdir(parents=True)
    (place / "test_conformance.py").write_text(SUITE)
    command = [sys.executable, "-c", PROGRAM, str(place), f"--rootdir={folder}", *options]
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }  # of this test's worker
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, timeout=120, env=alone)
    return {one["promise"]: one for one in json.loads(done.stdout.splitlines()[-1])}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """In one process."""
    return verdicts(tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize(
    ("promise", "word", "why"),
    [
        ("vault/every-node-votes", "pass", ""),
        ("vault/one-is-primary", "fail", "two say they are"),
        ("vault/asked", "unknown", "the server did not answer"),
        ("vault/left", "unknown", "something was left behind"),
        ("vault/the-policy-denies[sys/seal]", "not run", "no vault here"),
        ("vault/tells-a-secret", "fail", "holds a secret (redis-password)"),
    ],
)
def test_the_word_and_the_reason(found: dict[str, dict[str, Any]], promise: str, word: str, why: str) -> None:
    assert found[promise]["verdict"] == word
    assert why in found[promise]["why"]


def test_no_secret_is_told(found: dict[str, dict[str, Any]]) -> None:
    assert "hunter2" not in json.dumps(found)


def test_what_was_measured_stands_beside_its_bound(found: dict[str, dict[str, Any]]) -> None:
    one = found["vault/every-redis-master-writes"]
    assert (one["bound"], one["unit"], one["measured"]["max"], one["measured"]["n"]) == (20, "ms", 12.5, 1)
    assert one["sentence"] == "Every Redis master writes"
    assert (one["component"], one["experiment"]) == ("vault", "conformance")


def test_workers_give_the_same_and_a_dead_one_is_no_pass(found: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    parallel = verdicts(tmp_path, "-n", "2", "--dist", "loadgroup", "--max-worker-restart=0")
    assert parallel["vault/dies"]["verdict"] in ("fail", "unknown")
    words = {name: one["verdict"] for name, one in parallel.items() if name != "vault/dies"}
    assert words == {name: one["verdict"] for name, one in found.items() if name != "vault/dies"}


def test_names_become_sentences() -> None:
    assert sentence("test_old_tls_is_refused[TLSv1.1]") == "Old TLS is refused (TLSv1.1)"
    assert sentence("test_12_vault_speaks_tls") == "Finding 12: Vault speaks TLS"
    assert sentence("TestX::test_pgpool_sees_replication") == "PgPool sees replication"
