"""The detached reverter: a process of its own that undoes one fault when its time to live is over, whatever became
of the run that injected it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from chaosblink.faults import journal
from chaosblink.faults.effect import FaultError
from chaosblink.faults.undo import rollback, undo
from chaosblink.targets import PlatformError, open_target
from chaosblink.waiting import Timeout, until

__all__ = ["PROGRAM", "arm", "rollback", "watch"]

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "chaosblink.faults.reverter")
ARMED = b"armed\n"
ARMED_S = 30.0
GRACE_S = 5.0
RETRY_S = 120.0


def arm(place: Path) -> None:
    """Start the reverter of a journaled fault and return once it watches; FaultError when it does not.

    It lives in a session of its own and is nobody's child, so that no signal meant for the run reaches it.
    """
    with place.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, str(place)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    with process.stdout as answer:
        ready, _, _ = select.select([answer], [], [], ARMED_S)
        armed = bool(ready) and answer.readline() == ARMED
    if not armed:
        process.kill()
    process.wait()
    if not armed:
        raise FaultError(f"the reverter did not arm itself; see {place.with_suffix('.log')}")


def watch(place: Path) -> None:
    """Detach, say `armed`, wait for the entry to expire or to be closed by somebody else, and undo what is open."""
    if os.fork():
        os._exit(0)
    os.write(1, ARMED)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    entry = journal.load(place)
    try:
        until(lambda: _over(place), entry.left + GRACE_S, f"{entry.id} expires", every=1.0)
    except Timeout as timeout:  # the clock cannot run backwards; if the journal is unreadable, undoing is tried anyway
        print(timeout, file=sys.stderr)
    if place.exists() and journal.load(place).open:
        _undo(place, entry.platform)


def _over(place: Path) -> bool:
    """Whether nobody needs this process any more: closed, gone with its platform, or expired."""
    if not place.exists():
        return True
    entry = journal.load(place)
    return not entry.open or entry.left <= 0


def _undo(place: Path, platform: str) -> None:
    """Undo, again and again for a while: the reverter is the last one who will."""
    try:
        done = until(lambda: undo(open_target(platform), place), RETRY_S, f"{place.stem} is undone", every=2.0)
    except Timeout as timeout:
        raise FaultError(str(timeout)) from None
    print(done, file=sys.stderr)


def main() -> int:
    """`python -m chaosblink.faults.reverter ENTRY`: exit status of the parent, which ends at once."""
    try:
        watch(Path(sys.argv[1]))
    except (FaultError, PlatformError) as error:
        print(f"reverter: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
