"""Marks on the round's timeline: written where `CHAOSBLINK_ROUND` names the round's folder, nowhere without it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from chaosblink.history import Event, write_lines

ROUND = "CHAOSBLINK_ROUND"
GO = "CHAOSBLINK_GO"
"""Names a file: an experiment run in a round begins its method when that file is there."""


def awaited(go: Path) -> Path:
    """The file with which an experiment says that it found the steady state and waits for `go`."""
    return go.with_name(f"{go.name}-awaited")


def mark(kind: str, data: dict[str, Any], at: int | None = None) -> None:
    """Append one event of `kind` (see chaosblink.history.Event); `at` is `time.monotonic_ns()`, now by default."""
    folder = os.environ.get(ROUND)
    if folder:
        write_lines(Path(folder) / "timeline.jsonl", [Event(at or time.monotonic_ns(), kind, data)])
