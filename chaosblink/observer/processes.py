"""CPU and memory of each instance, from one pass over /proc.

psutil does the same a process at a time and costs several times as much: this runs four times a second over every
process of the machine and must not disturb what it measures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from chaosblink.history import Event
from chaosblink.observer.spec import Processes

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PF_KTHREAD = 0x00200000


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc: `cpu_s` includes reaped children, so that a backend that ends is not lost."""

    pid: int
    parent: int
    started: int
    cpu_s: float
    rss: int
    kernel: bool = False
    """A thread of the kernel's own."""


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
            kernel = bool(int(fields[6]) & PF_KTHREAD)
            found[int(name)] = Process(int(name), int(fields[1]), int(fields[19]), cpu, int(fields[21]) * PAGE, kernel)
    return found


class CpuSampler:
    """Percent of one core an instance since the sample before, and the sum of its processes' resident bytes.

    `rss` counts memory that processes share once for each of them.
    """

    def __init__(self, sources: Mapping[str, Processes]) -> None:
        """`sources` tells for each instance where its processes are found."""
        self._namespaces = {_inode(source.netns): name for name, source in sources.items() if source.netns}
        self._directories = {f"{source.directory}/": name for name, source in sources.items() if source.directory}
        self._owners: dict[tuple[int, int], str | None] = {}
        self._before: dict[str, tuple[int, float]] = {}

    def sample(self, processes: Mapping[int, Process], members: Mapping[str, list[int]]) -> list[Event]:
        """One `cpu` event an instance; the first sample of an instance only sets the mark."""
        now = time.monotonic_ns()
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

    def members(self, processes: Mapping[int, Process]) -> dict[str, list[int]]:
        """The pids of each instance."""
        members: dict[str, list[int]] = {n: [] for n in (*self._namespaces.values(), *self._directories.values())}
        for process in processes.values():
            owner = self._owner(process)
            if owner:
                members[owner].append(process.pid)
        return members

    def _owner(self, process: Process) -> str | None:
        """The instance a process belongs to, None for a stranger."""
        life = (process.pid, process.started)
        # A process joins its namespace or directory right after it is made: ask again while it is young (under 2 s).
        if life not in self._owners or time.clock_gettime(time.CLOCK_BOOTTIME) - process.started * TICK_S < 2:
            self._owners[life] = self._by_namespace(process.pid) or self._by_directory(process.pid)
        return self._owners[life]

    def _by_namespace(self, pid: int) -> str | None:
        return self._namespaces.get(_inode(f"/proc/{pid}/ns/net")) if self._namespaces else None

    def _by_directory(self, pid: int) -> str | None:
        if not self._directories:
            return None
        try:
            home = os.readlink(f"/proc/{pid}/cwd") + "/"  # noqa: PTH115
        except OSError:
            return None
        return next((name for place, name in self._directories.items() if home.startswith(place)), None)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116
    except OSError:
        return -1
