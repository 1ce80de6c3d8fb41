"""kubectl with a person's own rights: what it was told, what it answered, and how long that took."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass, field

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.kind import kept

WITHIN_S = 120.0
Where = tuple[str, str]
"""Namespace and pod."""


def program() -> str:
    """The program, on PATH or as the kind cluster here was made with; PlatformError when there is none."""
    found = shutil.which("kubectl") or shutil.which("kubectl", path=str(kept() / "bin"))
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

    def typed(self, *arguments: str, prompt: str, answer: str, within: float = WITHIN_S) -> None:
        """A command at a terminal, as a person sits at one: when it asks, the answer is typed, which nothing echoes.

        PlatformError when it does not ask or end in `within` seconds, or fails.
        """
        began = time.monotonic()
        said, code = _at_a_terminal([program(), f"--context={self.context}", *arguments], prompt, answer, within)
        self.done.append((shlex.join(["kubectl", *arguments]), time.monotonic() - began))
        if answer in said:
            raise PlatformError(f"kubectl {shlex.join(arguments)} showed what was typed")
        if code:
            raise PlatformError(f"kubectl {shlex.join(arguments)} ended with {code}: {' '.join(said.split())[-300:]}")

    def inside(self, where: Where, *command: str, given: str = "", within: float = WITHIN_S) -> str:
        """`kubectl exec` of a command, with standard input where there is any."""
        return self(*executing(where, command, bool(given)), given=given, within=within)


def _at_a_terminal(command: list[str], prompt: str, answer: str, within: float) -> tuple[str, int]:
    """What was shown and the exit code."""
    ours, theirs = pty.openpty()
    deadline, shown, typed = time.monotonic() + within, b"", False
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        try:
            while (part := _read(ours, deadline)) is not None:
                shown += part
                if not typed and prompt.encode() in shown:
                    os.write(ours, answer.encode() + b"\r")
                    typed = True
        finally:
            os.close(ours)
            if time.monotonic() > deadline:
                process.kill()
    if time.monotonic() > deadline or not typed:
        raise PlatformError(f"{command[0]} at a terminal did not ask for what was to be typed, or did not end")
    return shown.decode(errors="replace"), process.returncode


def _read(terminal: int, deadline: float) -> bytes | None:
    """What is shown next, empty when nothing is for a moment; None when the command has ended or the time is over."""
    if time.monotonic() > deadline:
        return None
    if not select.select([terminal], [], [], 0.5)[0]:
        return b""
    try:
        return os.read(terminal, 4096) or None
    except OSError:  # the other end is closed
        return None


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
