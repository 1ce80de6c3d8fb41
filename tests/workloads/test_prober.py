"""The engine is open loop: nothing a server does or does not do keeps an operation from falling due."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from chaosblink.history import Operation, Outcome, read_events, read_operations
from chaosblink.workloads.attempt import Attempt, Refused, judge
from chaosblink.workloads.prober import Prober, watchdog
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.spec import PathSpec

pytestmark = pytest.mark.measures_time


class FakePath:
    """A path whose operations take `takes` seconds, never return (None), or raise."""

    op = "fake"

    def __init__(self, takes: float | None = 0.0, sends: bool = True, error: Exception | None = None) -> None:
        self.takes, self.sends, self.error = takes, sends, error
        self.closed = False

    async def open(self) -> None:
        return

    async def operate(self, attempt: Attempt) -> None:
        attempt.sent = self.sends
        if self.error:
            raise self.error
        if self.takes is None:
            await asyncio.Event().wait()
        await asyncio.sleep(self.takes or 0)

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        return judge(error, attempt, False, type(error).__name__)

    async def close(self) -> None:
        self.closed = True


def probe(folder: Path, path: FakePath, seconds: float, stall: float = 0.0) -> list[Operation]:
    """Operations of a 10 ms path with 200 ms deadlines over some seconds; `stall` blocks the whole process once."""

    async def run() -> None:
        recorder, stopping = Recorder(folder, ["fake"]), asyncio.Event()
        ticking = asyncio.create_task(watchdog(recorder))
        prober = Prober(PathSpec("fake", 10, 200), path, recorder, "t")
        probing = asyncio.create_task(prober.run(time.monotonic_ns(), stopping))
        await asyncio.sleep(seconds / 2)
        time.sleep(stall)  # the stall itself, not a wait for anything
        await asyncio.sleep(seconds / 2)
        stopping.set()
        await probing
        ticking.cancel()
        recorder.flush()

    asyncio.run(run())
    return read_operations(folder / "history.jsonl")


def test_a_server_that_hangs_does_not_stop_due_operations(tmp_path: Path) -> None:
    operations = probe(tmp_path, FakePath(takes=None), 1.0)
    assert 95 <= len(operations) <= 102
    assert {op.outcome for op in operations} == {"unknown"}
    late = [op.start - op.due for op in operations]
    assert sorted(late)[len(late) // 2] < 5_000_000


def test_every_due_operation_is_recorded_once_under_an_id_of_its_own(tmp_path: Path) -> None:
    operations = probe(tmp_path, FakePath(takes=0.05), 0.5)
    assert max(Counter(op.id for op in operations).values()) == 1
    dues = sorted(op.due for op in operations)
    assert {later - earlier for earlier, later in pairwise(dues)} == {10_000_000}


def test_operations_end_at_their_deadline(tmp_path: Path) -> None:
    operations = probe(tmp_path, FakePath(takes=None), 0.3)
    assert all(190 < (op.end - op.start) / 1e6 < 400 for op in operations)


def test_what_was_never_sent_has_certainly_failed(tmp_path: Path) -> None:
    operations = probe(tmp_path, FakePath(takes=None, sends=False), 0.3)
    assert {(op.outcome, op.reason) for op in operations} == {("fail", "deadline-before-sending")}


def test_a_refusal_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    operations = probe(tmp_path, FakePath(error=Refused("no-token")), 0.1)
    assert {(op.outcome, op.reason) for op in operations} == {("fail", "no-token")}


def test_an_error_after_sending_that_proves_nothing_is_unknown(tmp_path: Path) -> None:
    operations = probe(tmp_path, FakePath(error=ConnectionResetError()), 0.1)
    assert {op.outcome for op in operations} == {"unknown"}


def test_operations_due_during_a_stall_are_issued_late_and_recorded_so(tmp_path: Path) -> None:
    operations = probe(tmp_path, FakePath(), 0.4, stall=0.3)
    late = [op for op in operations if op.start - op.due > 50_000_000]
    assert 20 <= len(late) <= 32
    dues = sorted(op.due for op in operations)
    assert len(dues) >= 65
    assert {later - earlier for earlier, later in pairwise(dues)} == {10_000_000}


def test_a_stall_of_the_process_is_an_event_of_the_timeline(tmp_path: Path) -> None:
    probe(tmp_path, FakePath(), 0.4, stall=0.3)
    ticks = [event.data["late"] for event in read_events(tmp_path / "timeline.jsonl") if event.kind == "tick"]
    assert any(250_000_000 < late < 400_000_000 for late in ticks)


def test_connections_are_closed_at_the_end(tmp_path: Path) -> None:
    path = FakePath()
    probe(tmp_path, path, 0.1)
    assert path.closed
