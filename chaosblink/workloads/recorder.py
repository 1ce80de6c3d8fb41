"""Appends operations and events to the round's files in batches, and counts outcomes for the status line."""

from __future__ import annotations

import json
from pathlib import Path

from chaosblink.history import Event, Operation, to_line


class Recorder:
    """Buffers lines until `flush`; a flush is one append a file, so that several processes may share a timeline."""

    def __init__(self, folder: Path, paths: list[str]) -> None:
        """Files are `history.jsonl` and `timeline.jsonl` in `folder`, which must exist."""
        self._folder = folder
        self._operations: list[str] = []
        self._events: list[str] = []
        self.counts = {path: {"ok": 0, "fail": 0, "unknown": 0, "due": 0} for path in paths}

    def due(self, path: str) -> None:
        """Count an operation that fell due."""
        self.counts[path]["due"] += 1

    def operation(self, operation: Operation) -> None:
        """Keep a finished operation for the next flush."""
        self.counts[operation.path][operation.outcome] += 1
        self._operations.append(to_line(operation))

    def event(self, event: Event) -> None:
        """Keep a timeline event for the next flush."""
        self._events.append(to_line(event))

    def flush(self) -> None:
        """Append what was kept; OSError when the files cannot be written."""
        for name, lines in (("history.jsonl", self._operations), ("timeline.jsonl", self._events)):
            if lines:
                with (self._folder / name).open("ab", buffering=0) as file:
                    file.write("".join(lines).encode())
                lines.clear()

    def status(self) -> str:
        """The counts so far as one JSON line."""
        return json.dumps(self.counts, separators=(",", ":"))
