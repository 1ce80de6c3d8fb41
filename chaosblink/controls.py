"""Chaos Toolkit control: keep an experiment off a platform that is not ready for it, and mark what happens when."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from chaoslib.exceptions import InterruptExecution
from chaoslib.types import Activity, Experiment, Hypothesis, Run

from chaosblink.faults import FaultError
from chaosblink.faults.timeline import GO, awaited, mark
from chaosblink.faults.undo import rollback
from chaosblink.targets import PlatformError, open_target
from chaosblink.waiting import Timeout, until

logger = logging.getLogger("chaostoolkit")

__all__ = [
    "after_activity_control",
    "after_experiment_control",
    "after_hypothesis_control",
    "before_activity_control",
    "before_experiment_control",
    "before_method_control",
    "before_rollback_control",
]

GO_WITHIN_S = 180.0
"""Longer than a round waits for its clients' successes (60 s for writers, 90 s for logins)."""
_method_begun = threading.Event()
"""Set once the method of the experiment under way has begun: a control is a module and has no other memory."""
_told_to_end = threading.Event()
_rolling_back = threading.Event()


def before_experiment_control(context: Experiment, **_: Any) -> None:
    """Interrupt unless the platform is up and open to chaos; undo what an earlier run may have left on it.

    `open_target` refuses a platform that is not up, and a cluster whose namespaces do not carry the label.
    """
    for each in (_method_begun, _told_to_end, _rolling_back):
        each.clear()
    _remember_sigterm()
    try:
        for line in rollback(open_target()):
            logger.warning(f"left by an earlier run: {line}")
    except (PlatformError, FaultError) as error:
        raise InterruptExecution(str(error)) from None
    mark("mark", {"text": f"experiment begins: {context['title']}"})


def after_experiment_control(context: Experiment, state: Any = None, **_: Any) -> None:
    """Mark the end and undo what is still open, also where rollbacks were switched off on the command line."""
    mark("mark", {"text": f"experiment ends: {context['title']}: {(state or {}).get('status', 'unknown')}"})
    try:
        rollback(open_target())
    except (PlatformError, FaultError) as error:
        logger.error(f"something of a fault is left: {error}; `chaosblink rollback` tries again")


def after_hypothesis_control(context: Hypothesis, state: dict[str, Any] | None = None, **_: Any) -> None:
    """Interrupt when the steady state is not met before the method.

    The toolkit would report an experiment that never began as completed, with exit status 0.
    """
    if not _method_begun.is_set() and not (state or {}).get("steady_state_met"):
        raise InterruptExecution(f"nothing was done: the platform is not in its steady state ({context['title']})")


def before_method_control(**_: Any) -> None:
    """In a round, wait until its clients are ready; from now on, a steady state that is not met is a deviation."""
    go = os.environ.get(GO)
    if go:
        awaited(Path(go)).touch()
        try:
            until(lambda: _ended() or Path(go).exists(), GO_WITHIN_S, "the round is ready for the fault", every=0.02)
        except Timeout as timeout:
            raise InterruptExecution(f"nothing was done: {timeout}") from None
    _method_begun.set()


def before_rollback_control(**_: Any) -> None:
    """From now on nothing is left out."""
    _rolling_back.set()


def before_activity_control(context: Activity, **_: Any) -> None:
    """Mark the begin of a probe or action, which are left out once the experiment was told to end."""
    _ended()
    mark("mark", {"text": f"{context['type']} begins: {context['name']}"})


def after_activity_control(context: Activity, state: Run | None = None, **_: Any) -> None:
    """Mark the end of a probe or action with its status."""
    mark("mark", {"text": f"{context['type']} ends: {context['name']}: {(state or {}).get('status', 'unknown')}"})


def _remember_sigterm() -> None:
    """Note SIGTERM beside the toolkit's own handler.

    That one raises an exception wherever the program happens to be, and a client library that tries again after any
    exception swallows it: the experiment then went on until it was killed.
    """
    theirs = signal.getsignal(signal.SIGTERM)

    def ours(number: int, frame: FrameType | None) -> None:
        _told_to_end.set()
        if callable(theirs):
            theirs(number, frame)

    signal.signal(signal.SIGTERM, ours)


def _ended() -> bool:
    """False; InterruptExecution once the experiment was told to end, unless it is already rolling back."""
    if _told_to_end.is_set() and not _rolling_back.is_set():
        raise InterruptExecution("SIGTERM signal received")
    return False
