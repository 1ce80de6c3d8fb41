"""A small target for the faults' own tests: process trees on this machine, found again by any process through files.

As a program, `process_target.py STATE ENTRY`, it is the detached reverter of such a target.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import psutil

from chaosblink.faults import reverter
from chaosblink.targets import Instance, Lifetime, PlatformError, Target

TREE = ["sh", "-c", "sleep 600 & sleep 600 & wait"]
"""A main process with two children."""


class ProcessTarget:
    """Target interface over plain child processes; nothing restarts what ends unless a test does."""

    kind = "local"
    name = "faults-test"

    def __init__(self, state: Path) -> None:
        self.state = state
        self.settings: dict[str, Any] = {}
        self._own: list[subprocess.Popen[bytes]] = []

    def add(self, instance: Instance, command: list[str] | None = None) -> None:
        """Define an instance and start it."""
        line = {**asdict(instance), "command": command or TREE}
        (self.state / f"{instance.name}.instance").write_text(json.dumps(line))
        self.start(instance)

    def named(self, name: str) -> Instance:
        return next(instance for instance in self.instances() if instance.name == name)

    def instances(self, component: str | None = None) -> list[Instance]:
        lines = [json.loads(path.read_text()) for path in sorted(self.state.glob("*.instance"))]
        found = [Instance(**{name: text for name, text in line.items() if name != "command"}) for line in lines]
        return [instance for instance in found if component in (None, instance.component)]

    def lifetime(self, instance: Instance) -> Lifetime | None:
        main = self._main(instance)
        return Lifetime(main.pid, main.create_time()) if main else None

    def processes(self, instance: Instance) -> list[int]:
        main = self._main(instance)
        return [main.pid, *(child.pid for child in main.children(recursive=True))] if main else []

    def start(self, instance: Instance) -> None:
        if self._main(instance):
            return
        command = json.loads((self.state / f"{instance.name}.instance").read_text())["command"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        self._own.append(process)
        (self.state / f"{instance.name}.pid").write_text(str(process.pid))

    def stop(self, instance: Instance) -> None:
        if main := self._main(instance):
            os.killpg(main.pid, signal.SIGTERM)
            with contextlib.suppress(psutil.TimeoutExpired):
                main.wait(5)

    def isolate(self, instance: Instance, **cut: bool) -> None:  # noqa: ARG002
        raise PlatformError("process trees share one network and cannot be partitioned")

    def cannot(self, fault: str) -> str:
        return "process trees share one network and cannot be partitioned" if fault == "isolate" else ""

    def rejoin(self, instance: Instance) -> None:
        """Nothing is ever dropped."""

    def dropped(self, instance: Instance) -> int | None:  # noqa: ARG002
        return None

    def secret(self, name: str) -> str:
        return (self.state / name).read_text()

    def log(self, instance: Instance) -> str:
        return (self.state / f"{instance.name}.log").read_text()

    def end(self) -> None:
        """End every process tree."""
        for instance in self.instances():
            for pid in self.processes(instance):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for process in self._own:
            process.wait()

    def _main(self, instance: Instance) -> psutil.Process | None:
        try:
            main = psutil.Process(int((self.state / f"{instance.name}.pid").read_text()))
            return main if main.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None


def reverter_of(target: ProcessTarget) -> tuple[str, ...]:
    """The program that reverts this target's faults."""
    return (sys.executable, str(Path(__file__).resolve()), str(target.state))


def is_steady() -> bool:
    """A probe for experiments of tests."""
    return True


def is_steady_and_swallows_sigterm() -> bool:
    """A probe whose client tries again after whatever exception, also the one the toolkit's signal handler raises."""
    with contextlib.suppress(Exception):
        os.kill(os.getpid(), signal.SIGTERM)
    return True


def is_not_steady() -> bool:
    """A probe for experiments of tests."""
    return False


if __name__ == "__main__":
    reverter.open_target = lambda name=None: cast(Target, ProcessTarget(Path(sys.argv[1])))  # noqa: ARG005
    reverter.watch(Path(sys.argv[2]))
