"""Asks one instance again and again and writes down what changed, and every second that it has not."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from chaosblink.history import Event
from chaosblink.observer.pollers import Answer, Poller
from chaosblink.targets import Instance

HEARTBEAT_NS = 1_000_000_000
"""An unchanged role or view is repeated this often, so that silence in a timeline means a dead observer."""


class Listener(Protocol):
    """Whoever is told of roles and views: the timeline's recorder, or a person's screen."""

    def event(self, event: Event) -> None:
        """One change, or the repetition of what has not changed."""


class Watch:
    """One instance, one poller."""

    def __init__(self, instance: Instance, poller: Poller, recorder: Listener, hz: float, patience_s: float) -> None:
        """`hz` questions a second; no answer within `patience_s` is role ""."""
        self._instance, self._poller, self._recorder = instance, poller, recorder
        self._interval_s, self._patience_s = 1 / hz, patience_s
        self._said: dict[str, tuple[str, int]] = {}
        self._views: set[str] = set()

    async def run(self) -> None:
        """For ever; cancel it. A question that takes longer than the interval delays the next one, and only its own."""
        due = time.monotonic()
        while True:
            asked = time.monotonic_ns()
            self._write(asked, await self._ask())
            due = max(due + self._interval_s, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def close(self) -> None:
        """Drop the poller's connection."""
        await self._poller.close()

    async def _ask(self) -> Answer:
        question = asyncio.ensure_future(self._poller.ask())
        try:
            done, _ = await asyncio.wait({question}, timeout=self._patience_s)
        except asyncio.CancelledError:
            self._give_up(question)
            raise
        if not done:
            self._give_up(question)
            return Answer("")
        if question.exception() is not None:
            await self._poller.close()
            return Answer("")
        return question.result()

    def _give_up(self, question: asyncio.Future[Answer]) -> None:
        if self._poller.abort:
            self._poller.abort()
        else:
            question.cancel()
        # Reading the outcome keeps asyncio from reporting it; whatever it was came too late.
        question.add_done_callback(lambda late: late.cancelled() or late.exception())

    def _write(self, asked: int, answer: Answer) -> None:
        now = time.monotonic_ns()
        self._views |= set(answer.views)
        whole = {"component": self._instance.component, "instance": self._instance.name}
        if self._changed("role", answer.role, now):
            self._recorder.event(Event(now, "role", {**whole, "role": answer.role, "asked": asked}))
        for of in sorted(self._views):
            sees = answer.views.get(of, "")
            if self._changed(f"view {of}", sees, now):
                self._recorder.event(Event(now, "view", {**whole, "of": of, "sees": sees, "asked": asked}))

    def _changed(self, what: str, value: str, now: int) -> bool:
        before, at = self._said.get(what, (None, 0))
        if before == value and now - at < HEARTBEAT_NS:
            return False
        self._said[what] = (value, now)
        return True
