"""What keeps a platform safe from its suite: the journal comes first, the reverter outlives the run, rollback heals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from process_target import ProcessTarget

from chaosblink.faults import FaultError, journal, reverter, undo
from chaosblink.faults.injection import inject
from chaosblink.faults.pause import Pause
from chaosblink.waiting import until

RUN = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from process_target import ProcessTarget, reverter_of
from chaosblink.faults import reverter
from chaosblink.faults.injection import inject
target = ProcessTarget(Path(sys.argv[2]))
reverter.PROGRAM = reverter_of(target)
inject(target, "pause", "identity/any", ttl=float(sys.argv[3]), seed=1)
print("injected", flush=True)
threading.Event().wait()
"""


def _run_and_kill(target: ProcessTarget, ttl: float) -> None:
    """A run of its own injects a pause and is killed with its whole process group right after."""
    arguments = [sys.executable, "-c", RUN, str(Path(__file__).parent), str(target.state), str(ttl)]
    run = subprocess.Popen(arguments, stdout=subprocess.PIPE, start_new_session=True)
    assert run.stdout is not None
    with run.stdout as said:
        assert said.readline() == b"injected\n"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def _paused(target: ProcessTarget) -> list[int]:
    pids = [pid for instance in target.instances() for pid in target.processes(instance)]
    return [pid for pid in pids if psutil.Process(pid).status() == psutil.STATUS_STOPPED]


def test_the_fault_is_on_disk_before_the_process_is_touched(
    target: ProcessTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def looks(*_: Any) -> None:
        (place,) = journal.open_faults(target)
        seen.update(json.loads(place.read_text()), paused=_paused(target))
        raise FaultError("looked only")

    monkeypatch.setattr(Pause, "inject", looks)
    with pytest.raises(FaultError, match="looked only"):
        inject(target, "pause", "identity/any", 60, 1)
    assert seen["status"] == "planned"
    assert seen["victims"][0]["pid"] in map(int, seen["victims"][0]["processes"])
    assert seen["paused"] == []
    assert journal.open_faults(target) == []


def test_no_fault_without_a_reverter(target: ProcessTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverter, "PROGRAM", ("false",))
    with pytest.raises(FaultError, match="did not arm itself"):
        inject(target, "pause", "identity/any", 60, 1)
    assert _paused(target) == []


def test_the_reverter_heals_at_the_time_to_live_after_the_run_was_killed(target: ProcessTarget) -> None:
    _run_and_kill(target, ttl=2)
    assert len(_paused(target)) == 3
    until(lambda: not _paused(target), 10, "the reverter has continued the processes")
    until(lambda: not journal.open_faults(target), 10, "the entry is closed")
    assert undo.residue(target) == []


def test_rollback_heals_at_once_after_the_run_was_killed(target: ProcessTarget) -> None:
    _run_and_kill(target, ttl=600)
    assert len(_paused(target)) == 3
    (line,) = reverter.rollback(target)
    assert "undone" in line
    assert _paused(target) == []
    assert undo.residue(target) == []
    assert reverter.rollback(target) == []


def test_the_reverter_ends_when_somebody_else_has_undone_its_fault(target: ProcessTarget) -> None:
    inject(target, "pause", "identity/any", 600, 1)
    assert _reverters(target)
    undo.rollback(target)
    until(lambda: not _reverters(target), 10, "the reverter has ended")


def test_a_run_that_dies_between_plan_and_injection_leaves_nothing(target: ProcessTarget) -> None:
    victims = [journal.Victim("identity-0", 1, 0.0, {})]
    entry = journal.plan(target, "pause", {}, "identity/any", victims, 60)
    assert undo.residue(target) == [f"{entry.id} is still open (planned)"]
    undo.rollback(target)
    assert undo.residue(target) == []


def test_what_cannot_be_undone_stays_open_and_is_named(target: ProcessTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "HEAL_S", 0.3)
    inject(target, "pause", "identity/any", 600, 1)
    with monkeypatch.context() as broken:
        broken.setattr(Pause, "revert", lambda *_: None)
        with pytest.raises(FaultError, match="are stopped"):
            undo.rollback(target)
    assert len(journal.open_faults(target)) == 1
    assert len(undo.rollback(target)) == 1


def test_an_entry_of_an_earlier_boot_has_expired(target: ProcessTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = journal.plan(target, "pause", {}, "identity/any", [], 600)
    assert entry.left > 590
    monkeypatch.setattr(journal, "boot", lambda: "another")
    assert entry.left == 0
    undo.rollback(target)


def _reverters(target: ProcessTarget) -> list[int]:
    ours = str(target.state)
    return [p.pid for p in psutil.process_iter(["cmdline"]) if ours in (p.info["cmdline"] or []) and p.pid > 1]
