"""Bad input gets one clear line and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.platform.conftest import Cli


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("chaosblink: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize("command", ["status", "down", "rollback"])
def test_a_platform_that_is_not_there(cli: Cli, command: str) -> None:
    assert "chaosblink up" in refused(cli(command, "--name", "nobody"))


def test_an_unknown_experiment_brings_nothing_up(cli: Cli) -> None:
    assert "vault-leader-kill" in refused(cli("run", "--name", "nobody", "--experiment", "no-such-kill"))
    assert "no platform" in refused(cli("status", "--name", "nobody"))


def test_an_unknown_value_brings_nothing_up(cli: Cli) -> None:
    assert "values.yaml" in refused(cli("up", "--name", "nobody", "--set", "vault.nosuch=1"))
    assert "no platform" in refused(cli("status", "--name", "nobody"))


def test_a_name_that_cannot_be_used(cli: Cli) -> None:
    assert "--name" in refused(cli("up", "--name", "../elsewhere"))


def test_an_unknown_option_exits_2(cli: Cli) -> None:
    assert cli("up", "--no-such-option").returncode == 2


def test_a_name_that_is_taken(cli: Cli, platform: str) -> None:
    assert "already exists" in refused(cli("up", "--name", platform))
    assert cli("status", "--name", platform).returncode == 0


def test_an_instance_that_is_not_there(cli: Cli, platform: str) -> None:
    assert "vault-0" in refused(cli("logs", "--name", platform, "vault-9"))


def test_values_of_a_platform_that_is_up_do_not_change(cli: Cli, platform: str) -> None:
    assert "--set" in refused(cli("run", "--name", platform, "--set", "edge.replicaCount=1"))


def test_a_platform_whose_supervisor_died_is_removed_all_the_same(cli: Cli, tmp_path: Path) -> None:
    """Half dead: what is left of a `chaosblink up` that was killed. Made by hand, without servers."""
    from chaosblink.targets.local.layout import Layout, load_values
    from chaosblink.targets.local.target import state_of, write_record

    name = f"half-dead-{tmp_path.name[-3:]}".replace("_", "-")
    state_of(name).mkdir(parents=True)
    write_record(state_of(name), Layout(name, load_values(), "198.18.250", False), "up")
    assert f"chaosblink down --name {name}" in refused(cli("status", "--name", name))
    assert f"chaosblink down --name {name}" in refused(cli("run", "--name", name))
    assert cli("down", "--name", name).returncode == 0
    assert not state_of(name).exists()
