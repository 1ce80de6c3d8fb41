"""What others use: strangers count also when nobody saw them; the run, instances and the kernel's threads do not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from chaosblink.observer import others
from chaosblink.observer.processes import TICK_S, Process, read_processes

RUN, WRITER, SERVER, BACKEND, STRANGER, KERNEL = 100, 101, 200, 201, 300, 2
PARENTS = {RUN: 1, WRITER: RUN, SERVER: 1, BACKEND: SERVER, STRANGER: 1, KERNEL: 0}


class Machine:
    """A machine whose processes, time and /proc/stat are made up."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used = dict.fromkeys(PARENTS, 50.0)
        self.unseen = self.stolen = self.interrupts = 1000.0
        self.seconds = 7.0
        self._stat = folder / "stat"
        monkeypatch.setattr(others, "STAT", self._stat)
        monkeypatch.setattr(others, "time", SimpleNamespace(monotonic_ns=lambda: int(self.seconds * 1e9)))
        self.sampler = others.OthersSampler(RUN)
        self.percent()

    def percent(self) -> float | None:
        """What the next sample says, None for the first one."""
        seconds = [self.unseen, 0.0, sum(self.used.values()), 999.0, 0.0, self.interrupts, self.interrupts, self.stolen]
        self._stat.write_text("cpu  " + " ".join(f"{s / TICK_S:.0f}" for s in seconds) + " 0 0\ncpu0 1 2 3\n")
        processes = {
            pid: Process(pid, PARENTS[pid], 1, cpu_s, 1, kernel=pid == KERNEL) for pid, cpu_s in self.used.items()
        }
        members = {"postgresql-0": [pid for pid in (SERVER, BACKEND) if pid in processes]}
        events = self.sampler.sample(processes, members)
        return events[0].data["percent"] if events else None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_stranger_counts(machine: Machine) -> None:
    machine.seconds += 2
    machine.used[STRANGER] += 1.0
    assert machine.percent() == 50.0


@pytest.mark.parametrize("what", ["unseen", "stolen"])
def test_what_no_process_shows_counts(machine: Machine, what: str) -> None:
    machine.seconds += 2
    setattr(machine, what, 1001.0)
    assert machine.percent() == 50.0


@pytest.mark.parametrize("pid", [RUN, WRITER, SERVER, BACKEND, KERNEL])
def test_the_run_the_platform_and_the_kernel_do_not(machine: Machine, pid: int) -> None:
    machine.seconds += 2
    machine.used[pid] += 1.5
    machine.interrupts += 3
    assert machine.percent() == 0.0


def test_a_killed_server_hides_no_stranger(machine: Machine) -> None:
    machine.seconds += 2
    machine.unseen += 50 + 50 + 1  # the machine's sum goes on with what the dead had used
    del machine.used[SERVER], machine.used[BACKEND]
    assert machine.percent() == 50.0


def test_kernel_threads_are_told_from_processes() -> None:
    processes = read_processes()
    assert not any(process.kernel for process in processes.values() if process.rss)
    assert all(process.kernel for process in processes.values() if process.parent == KERNEL)
