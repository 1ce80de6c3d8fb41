"""Give each round its part of the streams that last a whole experiment: logins, observations, Locust's requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """Landmarks of a round, monotonic ns: the recovery before it (or the start of the clients), and the moment
    its own fault was asked for, from which on its effect may show.
    """

    recovered_before: int
    injecting: int


SOURCES = {"history.jsonl": ("due", "end"), "timeline.jsonl": ("at", "at"), "logins.jsonl": ("start", "end")}
"""Stream files and the fields in which a line begins and ends: what the next fault cut short is that round's alone."""


def share_out(streams: Path, spans: dict[Path, Span], ended: int) -> None:
    """Append to each round's files what the streams hold from the recovery before it until the next fault.

    The calm between two faults belongs to both rounds: it shows that one recovered and that the other began healthy.
    """
    faults = [span.injecting for span in spans.values()]
    for (folder, span), until in zip(spans.items(), [*faults[1:], ended], strict=False):
        for name, (begins, ends) in SOURCES.items():
            lines = _lines(streams / name)
            chosen = [line for line in lines if span.recovered_before <= line[begins] and line[ends] < until]
            _merge(folder / name, chosen, begins)


def _merge(path: Path, added: list[dict[str, Any]], field: str) -> None:
    together = sorted([*_lines(path), *added], key=lambda line: line[field])
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in together))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)
