"""The main job in short: one round of each of the three leaders, under load, and every promise about them kept."""

from __future__ import annotations

import subprocess

import pytest

from tests.platform.conftest import CHAOSBLINK

LEADERS = ("vault-leader-kill", "postgresql-primary-kill", "redis-master-kill")
WITHIN_S = 600
"""Three rounds and, on a busy machine, two repeats of each."""


def test_every_promise_is_kept_while_each_leader_is_killed_once(
    platform: str, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = [f"--experiment={leader}" for leader in LEADERS]
    with capfd.disabled():  # progress and the table of verdicts are for whoever waits
        print(flush=True)
        done = subprocess.run(
            [CHAOSBLINK, "run", "--name", platform, "--rounds=1", *chosen], timeout=WITHIN_S, check=False
        )
    assert done.returncode == 0
