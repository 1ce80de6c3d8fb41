"""One operation on its way: what a path tells the prober while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chaosblink.history import Outcome


@dataclass(slots=True)
class Attempt:
    """One operation. A path sets `sent` before the first byte that could have an effect leaves this process.

    `abort` (set by a path whose client cannot be cancelled) makes the pending call fail soon; without it the prober
    cancels the task. `warning` is what the server said beside success; any warning makes the outcome unknown.
    `step` names where an operation of several requests is, for the reason if it breaks there.
    """

    id: str
    due: int
    start: int
    deadline_s: float
    sent: bool = False
    server: str = ""
    warning: str = ""
    step: str = ""
    abort: Callable[[], None] | None = None
    recorded: bool = False


class Refused(Exception):
    """The operation was never sent, for the reason in the message (`no-token`, `no-master`): a certain failure."""


class Path(Protocol):
    """A client and its route, as the prober drives it."""

    op: str
    """What an operation does, for the history: `insert`, `kv-write`, `rpush`, `login`."""

    async def open(self) -> None:
        """Prepare what operations need (table, token). Called once; keeps trying until it worked or is cancelled."""

    async def operate(self, attempt: Attempt) -> None:
        """Do the operation once; returning is success, any exception is judged by `verdict`."""

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        """Outcome and reason of a failed operation; TimeoutError stands for its deadline."""

    async def close(self) -> None:
        """Give back every connection."""


def judge(error: BaseException, attempt: Attempt, certain: bool, reason: str) -> tuple[Outcome, str]:
    """The rule all protocols share: `fail` if nothing was sent or the reason is on the list, else `unknown`."""
    if isinstance(error, TimeoutError) and not attempt.sent:
        return "fail", "deadline-before-sending"
    if isinstance(error, Refused):
        return "fail", str(error)
    return ("fail" if certain or not attempt.sent else "unknown"), reason
