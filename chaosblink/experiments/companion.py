"""A process that works beside the run (workload, observer, Locust, Chaos Toolkit) and never outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

from chaosblink.targets import PlatformError


class Companion:
    """A child in a session of its own: Ctrl-C reaches the run alone, which then ends its companions in order.

    The kernel ends the child when the run dies (PR_SET_PDEATHSIG), and its standard input closes then too.
    Standard error goes to `log`. A line of JSON on standard output becomes `status`.
    """

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.name, self.log = name, log
        self.status: dict[str, dict[str, int]] = {}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"{"):
                self.status = json.loads(line)
            else:
                with self.log.open("ab") as log:
                    log.write(line)

    def succeeded(self, path: str) -> int:
        """Operations of a path that were ok so far; PlatformError when the process has died."""
        self.check()
        return self.status.get(path, {}).get("ok", 0)

    def failed(self, path: str) -> int:
        """Operations of a path that were not ok so far, unknown ones included."""
        counts = self.status.get(path, {})
        return counts.get("fail", 0) + counts.get("unknown", 0)

    def check(self) -> None:
        """PlatformError when the process has ended although nobody asked it to."""
        code = self._process.poll()
        if code is not None:
            tail = " ".join(self.log.read_text(errors="replace").split()[-40:])
            raise PlatformError(f"{self.name} ended by itself with {code}: {tail}")

    @property
    def ended(self) -> bool:
        """Whether the process is over."""
        return self._process.poll() is not None

    def wait(self, within: float) -> int:
        """Exit code once it has ended by itself; subprocess.TimeoutExpired otherwise."""
        code = self._process.wait(timeout=within)
        self._reader.join(timeout=5)
        return code

    def stop(self, within: float = 15) -> None:
        """Ask it to end (SIGTERM) and wait; what does not end in time is killed. No error when it already ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.wait(5)
