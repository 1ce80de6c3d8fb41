"""Writes one JSON line a request, since Locust's own statistics are buckets of a second."""

from __future__ import annotations

import json
import time
from typing import Any


class LoginLog:
    """Listener of the `request` event; times are `time.monotonic_ns()`, the clock of the run.

    A line: start, end, step, status (0 = no answer), ok, error (what was wrong, without secrets), served_by.
    """

    def __init__(self, path: str) -> None:
        """Appends to `path`; OSError when it cannot."""
        self._file = open(path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the load

    def request(
        self, name: str, response: Any, exception: BaseException | None, context: dict[str, Any], **_: Any
    ) -> None:
        """One request has ended."""
        end = time.monotonic_ns()
        headers = getattr(response, "headers", None) or {}
        line = {
            "start": context.get("start", end),
            "end": end,
            "step": name,
            "status": getattr(response, "status_code", 0) or 0,
            "ok": exception is None,
            "error": "" if exception is None else (str(exception) or type(exception).__name__)[:100],
            "served_by": headers.get("x-served-by", "") or "",
        }
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def close(self, **_: Any) -> None:
        """The load has ended."""
        self._file.flush()
