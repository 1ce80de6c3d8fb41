"""A run that is interrupted, ended or killed leaves no client and no fault, and a platform that heals by itself."""

from __future__ import annotations

import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from chaosblink.experiments.run_folder import RUNS
from chaosblink.waiting import until
from tests.platform.conftest import CHAOSBLINK, Cli

EXPERIMENT = "vault-leader-kill"


class RunUnderWay:
    """A run as its own process, whose folder is followed while it works."""

    def __init__(self, platform: str, log: Path) -> None:
        before = set(RUNS.glob("*"))
        with log.open("w") as output:
            command = [CHAOSBLINK, "run", "--name", platform, "--experiment", EXPERIMENT, "--rounds", "1"]
            # What a background job of a shell ignores (SIGINT) its children would ignore too.
            with_ctrl_c = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, preexec_fn=with_ctrl_c
            )
        folder = until(lambda: next((f for f in RUNS.glob("*") if f not in before), None), 60, "the run has a folder")
        assert folder is not None
        self.folder = folder

    def until_timeline_says(self, text: str) -> None:
        """Wait for a text in the round's timeline."""
        timeline = self.folder / EXPERIMENT / "round-01" / "timeline.jsonl"
        until(lambda: timeline.exists() and text in timeline.read_text(), 120, f"the timeline says {text}")

    def clients(self) -> list[int]:
        """Processes that work for the run: each has the run's folder in its arguments."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            working = process.info["status"] != psutil.STATUS_ZOMBIE and process.pid != self.process.pid
            if working and str(self.folder) in " ".join(process.info["cmdline"] or []):
                found.append(process.pid)
        return found


def healed(cli: Cli, platform: str) -> None:
    """The platform is redundant again by itself, no fault is open, and the lock is free."""
    status = cli("status", "--name", platform, "--within", "90")
    assert status.returncode == 0, status.stdout
    assert cli("rollback", "--name", platform).stdout.strip() == "no fault was left"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cleans_up(cli: Cli, platform: str, tmp_path: Path, number: signal.Signals) -> None:
    run = RunUnderWay(platform, tmp_path / "run.log")
    run.until_timeline_says("probe begins")
    assert run.clients()
    run.process.send_signal(number)
    assert run.process.wait(timeout=60) == 130, (tmp_path / "run.log").read_text()
    assert run.clients() == []
    healed(cli, platform)


def test_a_killed_run_leaves_a_platform_that_heals(cli: Cli, platform: str, tmp_path: Path) -> None:
    run = RunUnderWay(platform, tmp_path / "run.log")
    run.until_timeline_says('"bitten"')
    run.process.kill()
    run.process.wait()
    killed_at = time.monotonic()
    until(lambda: not run.clients(), 30, "every client of the run is gone", every=0.5)
    assert time.monotonic() - killed_at < 30
    assert cli("rollback", "--name", platform).returncode == 0
    healed(cli, platform)
