"""Ends a child process with the run that started it: by signal, closed stdin, or a parent that is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from typing import Any


async def watch(stopping: asyncio.Event) -> None:
    """Set `stopping` when this process should end; runs for ever (cancel it).

    PR_SET_PDEATHSIG is not used: it fires when the *thread* that started us ends, which a run may do at any time.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin else 0
    # A terminal, /dev/null or a file says nothing about a parent; only a pipe or socket does.
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        loop.add_reader(sys.stdin.fileno(), _read, loop, stopping)
    parent = os.getppid()
    while True:
        await asyncio.sleep(0.5)
        if os.getppid() != parent:
            stopping.set()


def take_precedence() -> None:
    """Let this process run before the servers it measures (SCHED_RR), where that is allowed: root, or CAP_SYS_NICE.

    On a busy machine its own delay would be read as theirs. It needs a third of a core, which the kernel grants a
    real-time process first (and never more than 95 %). A nice value would not do: with sched_autogroup it only counts
    among the processes of one session (sched(7)).

    In a pod the kernel may have no real-time share for the control group (cgroup v1, cpu.rt_runtime_us 0). There a nice
    value does count, among the processes of the pod; against other pods its node's share of the CPU decides.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -15)


def quieten(loop: asyncio.AbstractEventLoop) -> None:
    """Keep uvloop from printing a traceback for every TLS connection that is given up while it still writes."""

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not str(context.get("message", "")).startswith("Fatal error on SSL protocol"):
            loop.default_exception_handler(context)

    loop.set_exception_handler(report)


def _read(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stopping.set()
