"""Who may use a platform at the same time: conformance tests share it, a chaos run has it alone.

And among conformance tests, one that takes an instance away for a moment has it alone.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaosblink.targets import PlatformError, Target
from chaosblink.waiting import Timeout, until

TURN_S = 180.0
"""How long a test waits for its turn: longer than all others of a run together."""


@contextmanager
def shared(target: Target) -> Iterator[None]:
    """Hold the platform with other conformance runs; PlatformError at once while a chaos run has it."""
    with _flock(target.state / "lock", fcntl.LOCK_SH) as take:
        if not take():
            raise PlatformError(f"a chaos run holds platform {target.name!r} alone; wait for it to end")
        yield


@contextmanager
def turn(target: Target, alone: bool) -> Iterator[None]:
    """Take a test's turn: alone, or with all others that are not. Timeout when it does not come."""
    with _flock(target.state / "conformance.lock", fcntl.LOCK_EX if alone else fcntl.LOCK_SH) as take:
        until(take, TURN_S, "the test's turn on the platform", every=0.05)
        yield


@contextmanager
def _flock(path: Path, kind: int) -> Iterator[Take]:
    # filelock, which the chaos run uses, takes the same kernel lock (flock) and never removes the file
    with path.open("a") as file:
        yield Take(file.fileno(), kind)


class Take:
    """One try to get a lock; true when it was got. Closing the file gives it back."""

    def __init__(self, descriptor: int, kind: int) -> None:
        self._descriptor, self._kind = descriptor, kind

    def __call__(self) -> bool:
        """Never waits."""
        try:
            fcntl.flock(self._descriptor, self._kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


__all__ = ["TURN_S", "Timeout", "shared", "turn"]
