"""Completion knows commands, platforms, instances and experiments, and each shell accepts its script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chaosblink.targets.local.layout import Layout, load_values
from chaosblink.targets.local.target import write_record

CHAOSBLINK = str(Path(sys.executable).parent / "chaosblink")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """State of two platforms on paper."""
    for name in ("blinkchamber", "nightly"):
        (tmp_path / name).mkdir()
        values = load_values(("edge.replicaCount=2",) if name == "nightly" else ())
        write_record(tmp_path / name, Layout(name, values, "198.18.251", False), "up")
    return tmp_path


def completed(state: Path, words: str) -> list[str]:
    """What bash would offer behind these words."""
    variables = {
        **os.environ,
        "CHAOSBLINK_STATE": str(state),
        "_CHAOSBLINK_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = subprocess.run([CHAOSBLINK], env=variables, capture_output=True, text=True, check=True, timeout=60)
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands(state: Path) -> None:
    assert completed(state, "chaosblink co") == ["completion", "conformance"]


def test_instances_of_the_platform_that_is_named(state: Path) -> None:
    assert completed(state, "chaosblink logs vault-") == ["vault-0", "vault-1", "vault-2"]
    assert completed(state, "chaosblink stop --name nightly edge") == ["edge-0", "edge-1"]
    assert completed(state, "chaosblink stop --name nobody edge") == []


def test_platforms(state: Path) -> None:
    assert completed(state, "chaosblink status --name ") == ["blinkchamber", "nightly"]


def test_experiments(state: Path) -> None:
    assert "vault-leader-kill" in completed(state, "chaosblink run --experiment vault")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_it_can_read(shell: str, tmp_path: Path) -> None:
    done = subprocess.run([CHAOSBLINK, "completion", shell], capture_output=True, text=True, check=True, timeout=60)
    assert "_CHAOSBLINK_COMPLETE" in done.stdout
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(done.stdout)
        subprocess.run([program, "-n", str(tmp_path / "script")], check=True, timeout=20)
