"""`python -m chaosblink.observer SPEC.json`: poll the platform until told to stop (as the workloads are).

Prints one JSON line a second: {"seconds": n, "cpu_percent": n}, the cost of this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from chaosblink.history import Event
from chaosblink.observer.agent_cpu import AgentSampler
from chaosblink.observer.others import OthersSampler
from chaosblink.observer.processes import CpuSampler, read_processes
from chaosblink.observer.spec import ObserverSpec, read_observer_spec
from chaosblink.observer.watches import Watches
from chaosblink.workloads.following import follow
from chaosblink.workloads.lifeline import quieten, take_precedence, watch
from chaosblink.workloads.recorder import Recorder

FLUSH_S = 0.2


async def run(spec: ObserverSpec) -> None:
    """Poll and sample until the process is told to stop."""
    stopping = asyncio.Event()
    quieten(asyncio.get_running_loop())
    recorder = Recorder(Path(spec.folder), [])
    asked = Watches(spec, recorder)
    jobs = [watch(stopping), _write(recorder), _sample(spec, recorder), asked.run(), follow(spec.book, asked.turn)]
    tasks = [asyncio.create_task(job) for job in jobs]
    stopped: asyncio.Task[Any] = asyncio.create_task(stopping.wait())
    # A poller that breaks is a bug and must be seen: the first task that ends with an error ends the process.
    done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    recorder.flush()
    for task in done - {stopped}:
        await task


async def _sample(spec: ObserverSpec, recorder: Recorder) -> None:
    sampler, others = CpuSampler(spec.processes), OthersSampler(run=os.getppid())
    while spec.processes:
        processes = read_processes()
        members = sampler.members(processes)
        for event in [*sampler.sample(processes, members), *others.sample(processes, members)]:
            recorder.event(event)
        await asyncio.sleep(1 / spec.cpu_hz)
    if spec.agents:
        there = AgentSampler(spec.agents)
        while True:
            for event in await asyncio.to_thread(there.sample):
                recorder.event(event)
            await asyncio.sleep(1 / spec.cpu_hz)
    await asyncio.Event().wait()


async def _write(recorder: Recorder) -> None:
    """Flush five times a second; once a second say what this process costs, also as a `cpu` event of `observer`."""
    before, used, told = time.monotonic(), time.process_time(), 0
    while True:
        await asyncio.sleep(FLUSH_S)
        recorder.flush()
        now = time.monotonic()
        if now - before >= 1:
            percent = round((time.process_time() - used) / (now - before) * 100, 1)
            recorder.event(Event(time.monotonic_ns(), "cpu", {"instance": "observer", "percent": percent, "rss": 0}))
            told += 1
            print(json.dumps({"seconds": told, "cpu_percent": percent}), flush=True)
            before, used = now, time.process_time()


def main() -> int:
    """Exit status 0 after an orderly stop, 2 when the spec cannot be used."""
    if len(sys.argv) != 2:
        print("usage: python -m chaosblink.observer SPEC.json", file=sys.stderr)
        return 2
    try:
        spec = read_observer_spec(Path(sys.argv[1]))
        Watches(spec, Recorder(Path(spec.folder), []))
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"spec {sys.argv[1]}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    take_precedence()
    uvloop.run(run(spec))
    return 0


if __name__ == "__main__":
    sys.exit(main())
