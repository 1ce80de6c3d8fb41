"""CPU and memory of each instance, from one pass over /proc.

psutil does the same a process at a time and costs several times as much: this runs four times a second over every
process of the machine and must not disturb what it measures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chaosblink.history import Event
from chaosblink.observer.spec import Processes

Where = Callable[[int], int | str]
"""Tells of a pid what its instance is recognized by."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc: `cpu_s` includes reaped children, so that a backend that ends is not lost."""

    pid: int
    parent: int
    started: int
    cpu_s: float
    rss: int


def read_processes() -> dict[int, Process]:
    """Every process of the machine (proc(5), /proc/PID/stat); one that ends meanwhile is left out."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - Path objects would double the cost
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            cpu = sum(int(field) for field in fields[11:15]) * TICK_S
            found[int(name)] = Process(int(name), int(fields[1]), int(fields[19]), cpu, int(fields[21]) * PAGE)
    return found


class CpuSampler:
    """Percent of one core an instance since the sample before, and the sum of its processes' resident bytes.

    `rss` counts memory that processes share once for each of them.
    """

    def __init__(self, sources: Mapping[str, Processes]) -> None:
        """`sources` tells for each instance where its processes are found."""
        self._sources = {name: source for name, source in sources.items() if source.netns or source.directory}
        self._homes: dict[tuple[int, int, Where], int | str] = {}
        self._before: dict[str, tuple[int, float]] = {}

    def sample(self) -> list[Event]:
        """One `cpu` event an instance; the first sample of an instance only sets the mark."""
        processes = read_processes()
        members, now = self._members(processes), time.monotonic_ns()
        events = []
        for name, pids in members.items():
            total = sum(processes[pid].cpu_s for pid in pids)
            at, before = self._before.get(name, (0, 0.0))
            self._before[name] = (now, total)
            if at:
                # A killed instance takes its counters with it: the sum falls, and nothing was used.
                percent = max(0.0, total - before) / ((now - at) / 1e9) * 100
                rss = sum(processes[pid].rss for pid in pids)
                events.append(Event(now, "cpu", {"instance": name, "percent": round(percent, 1), "rss": rss}))
        return events

    def _members(self, processes: dict[int, Process]) -> dict[str, list[int]]:
        members: dict[str, list[int]] = {name: [] for name in self._sources}
        owners: dict[int | str, str] = {
            _inode(source.netns): name for name, source in self._sources.items() if source.netns
        }
        directories = {f"{source.directory}/": name for name, source in self._sources.items() if source.directory}
        for process in processes.values():
            owner = owners.get(self._home(process, _namespace)) if owners else None
            if directories:
                home = f"{self._home(process, _directory)}/"
                owner = next((name for place, name in directories.items() if home.startswith(place)), owner)
            if owner:
                members[owner].append(process.pid)
        return members

    def _home(self, process: Process, where: Where) -> int | str:
        life = (process.pid, process.started, where)
        # A process joins its namespace or directory right after it is made: ask again while it is young (under 2 s).
        if life not in self._homes or time.clock_gettime(time.CLOCK_BOOTTIME) - process.started * TICK_S < 2:
            self._homes[life] = where(process.pid)
        return self._homes[life]


def _namespace(pid: int) -> int:
    return _inode(f"/proc/{pid}/ns/net")


def _directory(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115
    except OSError:
        return ""


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116
    except OSError:
        return -1
