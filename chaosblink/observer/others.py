"""CPU that belongs neither to the platform nor to the run: whoever takes it takes it from the servers.

Clients run with precedence and do not notice when servers starve, so this has to be looked for. It is the machine's
whole use of CPU (what a hypervisor stole included) less the platform's, the run's and the kernel's own threads'. What
is left is strangers' also where they cannot be seen one by one: short-lived compilers, processes outside a container.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from chaosblink.history import OTHERS, Event
from chaosblink.observer.processes import TICK_S, Process

STAT = Path("/proc/stat")
COUNTED = (0, 1, 2, 7)
"""Fields of /proc/stat: user, nice, system, steal. Interrupts serve whoever's packets they are, and are left out."""


class OthersSampler:
    """Percent of one core that others used since the sample before; `run` is the pid from which the run descends."""

    def __init__(self, run: int) -> None:
        self._run = run
        self._before: tuple[int, float, dict[str, float]] | None = None

    def sample(self, processes: Mapping[int, Process], members: Mapping[str, list[int]]) -> list[Event]:
        """One `cpu` event of `others`, none the first time; `members` are the pids of each instance."""
        now, busy = time.monotonic_ns(), _busy_s(STAT.read_text())
        totals = {name: sum(processes[pid].cpu_s for pid in pids) for name, pids in members.items()}
        taken = {pid for pids in members.values() for pid in pids}
        ours = [p.cpu_s for p in processes.values() if p.pid not in taken and self._descends(p, processes)]
        kernel = [p.cpu_s for p in processes.values() if p.kernel]
        totals |= {"run": sum(ours), "kernel": sum(kernel)}
        before, self._before = self._before, (now, busy, totals)
        if not before:
            return []
        at, was_busy, had = before
        # What dies takes its counters with it: a sum that falls means nothing was used.
        known = sum(max(0.0, total - had.get(name, total)) for name, total in totals.items())
        percent = round(max(0.0, busy - was_busy - known) / ((now - at) / 1e9) * 100, 1)
        return [Event(now, "cpu", {"instance": OTHERS, "percent": percent, "rss": 0, "cores": os.cpu_count() or 1})]

    def _descends(self, process: Process, processes: Mapping[int, Process]) -> bool:
        found: Process | None = process
        while found is not None and found.pid != self._run:
            found = processes.get(found.parent)
        return found is not None


def _busy_s(stat: str) -> float:
    """Seconds of CPU all processors together spent on processes since boot, from the first line of /proc/stat."""
    fields = stat.partition("\n")[0].split()[1:]
    return sum(int(fields[number]) for number in COUNTED) * TICK_S
