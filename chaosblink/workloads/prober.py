"""The open-loop engine: an operation is due every interval, whether or not the last one came back."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from chaosblink.history import Event, Operation, Outcome
from chaosblink.workloads.attempt import Attempt, Path
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.spec import PathSpec

TICK_MS = 10
"""Period of the watchdog, ms (docs/measuring.md rule 11)."""
LATE_TICK_MS = 50
"""A tick later than this is an event of the timeline."""


class Prober:
    """Drives one path; every due operation is issued, late ones too, and recorded once."""

    def __init__(self, spec: PathSpec, path: Path, recorder: Recorder, prefix: str) -> None:
        """`prefix` makes ids unique over all processes that share a run."""
        self._spec = spec
        self._path = path
        self._recorder = recorder
        self._prefix = f"{prefix}-{spec.path.replace('/', '-')}"
        self._issued = 0
        self._open: set[asyncio.Task[None]] = set()

    async def run(self, first: int, stopping: asyncio.Event) -> None:
        """Issue operations from `first` (monotonic ns) until `stopping` is set, then wait for those still open."""
        preparing = asyncio.create_task(self._path.open())
        due, interval = first, round(self._spec.interval_ms * 1e6)
        while not stopping.is_set():
            while due <= time.monotonic_ns():
                self._issue(due)
                due += interval
            await asyncio.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9))
        preparing.cancel()
        if self._open:
            # An operation ends at its deadline at the latest; the second covers a client that is slow to give up.
            await asyncio.wait(self._open, timeout=self._spec.deadline_ms / 1e3 + 1)
        await self._path.close()

    def _issue(self, due: int) -> None:
        self._issued += 1
        self._recorder.due(self._spec.path)
        identity = f"{self._prefix}-{self._issued:06d}"
        attempt = Attempt(identity, due, time.monotonic_ns(), self._spec.deadline_ms / 1e3)
        task = asyncio.ensure_future(self._path.operate(attempt))
        timer = asyncio.get_running_loop().call_later(attempt.deadline_s, self._expire, attempt, task)
        self._open.add(task)
        task.add_done_callback(partial(self._finished, attempt, timer))

    def _expire(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        outcome, reason = self._path.verdict(TimeoutError("deadline"), attempt)
        self._record(attempt, outcome, reason)
        if attempt.abort:
            attempt.abort()
        else:
            task.cancel()

    def _finished(self, attempt: Attempt, timer: asyncio.TimerHandle, task: asyncio.Task[None]) -> None:
        timer.cancel()
        self._open.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if attempt.recorded:
            return
        if error is not None:
            self._record(attempt, *self._path.verdict(error, attempt))
        elif attempt.warning:
            self._record(attempt, "unknown", attempt.warning)
        else:
            self._record(attempt, "ok", "")

    def _record(self, attempt: Attempt, outcome: Outcome, reason: str) -> None:
        attempt.recorded = True
        end, path = time.monotonic_ns(), self._spec.path
        record = Operation(path, self._path.op, attempt.id, attempt.due, attempt.start, end, outcome, reason)
        if attempt.server and outcome == "ok":
            record = Operation(
                path, self._path.op, attempt.id, attempt.due, attempt.start, end, "ok", "", attempt.server
            )
        self._recorder.operation(record)


async def watchdog(recorder: Recorder) -> None:
    """Tick every 10 ms for ever; a tick more than 50 ms late becomes an event `tick` with `late` in ns."""
    expected = time.monotonic_ns()
    while True:
        expected += TICK_MS * 1_000_000
        await asyncio.sleep(max(0.0, (expected - time.monotonic_ns()) / 1e9))
        late = time.monotonic_ns() - expected
        if late > LATE_TICK_MS * 1_000_000:
            recorder.event(Event(time.monotonic_ns(), "tick", {"late": late}))
            expected = time.monotonic_ns()
