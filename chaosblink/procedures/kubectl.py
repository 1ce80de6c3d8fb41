"""kubectl with a person's own rights: what it was told, what it answered, and how long that took."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from chaosblink.targets import PlatformError

WITHIN_S = 120.0
Where = tuple[str, str]
"""Namespace and pod."""


def program() -> str:
    """The program, on PATH or as the kind cluster here was made with; PlatformError when there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chaosblink" / "kind"
    kept = Path(os.environ.get("CHAOSBLINK_CACHE") or cache) / "bin"
    found = shutil.which("kubectl") or shutil.which("kubectl", path=str(kept))
    if not found:
        raise PlatformError("missing program: kubectl, on PATH")
    return found


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended; `seconds` from its start to its end, on the clock of this machine."""

    code: int
    stdout: str
    stderr: str
    seconds: float


@dataclass
class Kubectl:
    """Commands on the cluster of one context. Nothing secret may be an argument: `given` goes by standard input."""

    context: str
    done: list[tuple[str, float]] = field(default_factory=list)
    """Every command so far, without the context, and its seconds."""

    def tried(self, *arguments: str, given: str = "", within: float = WITHIN_S) -> Done:
        """Whatever comes of it; PlatformError only when it does not end in `within` seconds."""
        began = time.monotonic()
        command = [program(), f"--context={self.context}", *arguments]
        try:
            ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=within)
        except subprocess.TimeoutExpired:
            raise PlatformError(f"kubectl {shlex.join(arguments)} did not end within {within:g} s") from None
        seconds = time.monotonic() - began
        self.done.append((shlex.join(["kubectl", *arguments]), seconds))
        return Done(ended.returncode, ended.stdout, ended.stderr, seconds)

    def __call__(self, *arguments: str, given: str = "", within: float = WITHIN_S) -> str:
        """Standard output; PlatformError when it fails."""
        done = self.tried(*arguments, given=given, within=within)
        if done.code:
            said = " ".join(done.stderr.split())[-300:]
            raise PlatformError(f"kubectl {shlex.join(arguments)} ended with {done.code}: {said}")
        return done.stdout

    def inside(self, where: Where, *command: str, given: str = "", within: float = WITHIN_S) -> str:
        """`kubectl exec` of a command, with standard input where there is any."""
        return self(*executing(where, command, bool(given)), given=given, within=within)


def executing(where: Where, command: tuple[str, ...], stdin: bool = False) -> tuple[str, ...]:
    """The arguments of `kubectl exec`, as the owner's document writes them."""
    namespace, pod = where
    return ("exec", *(["-i"] if stdin else []), "-n", namespace, pod, "--", *command)


WITH_FIRST_LINE = 'read -r {name}; export {name}; exec "$@"'


def with_secret(name: str, *command: str) -> tuple[str, ...]:
    """A command whose environment variable `name` is the first line of its standard input.

    What a person does by `export` in a shell of the pod; in an argument it would stand in the process list.
    """
    return ("sh", "-c", WITH_FIRST_LINE.format(name=name), "sh", *command)
