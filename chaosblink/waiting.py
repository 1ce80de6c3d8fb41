"""Wait for a condition with a deadline: the only way anything here waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

T = TypeVar("T")


class Timeout(Exception):
    """The condition did not come true in time; the message says what was awaited, how long, and the last answer."""


def until(condition: Callable[[], T], within: float, what: str, every: float = 0.1) -> T:
    """Call `condition` every `every` seconds until it is truthy and return its answer; Timeout after `within` seconds.

    An exception of the condition counts as "not yet"; the last one is named in the Timeout.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(within),
        wait=tenacity.wait_fixed(every),
        retry=tenacity.retry_if_exception_type(Exception) | tenacity.retry_if_result(lambda answer: not answer),
    )
    try:
        return retrying(condition)
    except tenacity.RetryError as error:
        attempt = error.last_attempt
        last = repr(attempt.exception()) if attempt.failed else repr(attempt.result())
        raise Timeout(f"{what}: not within {within:g} s (last answer: {last})") from None
