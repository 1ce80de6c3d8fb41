"""Processes named once and for all (pid and start tick), signalled through pidfds, their end seen to the moment."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def started(pid: int) -> int | None:
    """Clock tick since boot at which a process started, None when it is gone or a zombie.

    Read from /proc rather than through psutil, whose creation time moves when somebody sets the clock.
    """
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def stopped(pid: int) -> bool:
    """Whether a process is in state T: stopped by a signal."""
    fields = _stat(pid)
    return bool(fields) and fields[0] == "T"


def _stat(pid: int) -> list[str]:
    # fields from the third on (proc(5)); the second is a name in parentheses that may hold anything
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


@contextmanager
def held(ticks: dict[int, int]) -> Iterator[dict[int, int]]:
    """Pidfds of those of the given processes (pid to start tick) that still live: {pid: pidfd}."""
    handles: dict[int, int] = {}
    try:
        for pid, tick in ticks.items():
            try:
                handles[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            if started(pid) != tick:  # the pid was given to somebody else before it was held
                os.close(handles.pop(pid))
        yield handles
    finally:
        for handle in handles.values():
            os.close(handle)


def send(handles: dict[int, int], number: signal.Signals) -> None:
    """Signal every held process, in order, one straight after the other; those already gone are passed over."""
    for handle in handles.values():
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue


def ends(handles: dict[int, int], within: float) -> dict[int, int]:
    """Wait up to `within` seconds for held processes to end: {pid: `time.monotonic_ns()` at which it was seen gone}.

    A process that outlives the deadline is missing from the answer.
    """
    poll = select.poll()
    pids = {handle: pid for pid, handle in handles.items()}
    for handle in pids:
        poll.register(handle, select.POLLIN)
    deadline = time.monotonic() + within
    gone: dict[int, int] = {}
    while len(gone) < len(pids) and (left := deadline - time.monotonic()) > 0:
        ready = poll.poll(left * 1000)
        now = time.monotonic_ns()
        for handle, _ in ready:
            gone[pids[handle]] = now
            poll.unregister(handle)
    return gone
