"""Streams of a whole experiment are shared out to its rounds; the calm between two faults belongs to both."""

from __future__ import annotations

import json
from pathlib import Path

from chaosblink.experiments.slicing import Span, share_out


def logins(folder: Path) -> list[int]:
    """Due times of what a folder's history holds."""
    return [json.loads(line)["due"] for line in (folder / "history.jsonl").read_text().splitlines()]


def shared(tmp_path: Path, spans: list[Span], operations: list[tuple[int, int]]) -> list[list[int]]:
    """What each round got of a stream of (due, end)."""
    streams = tmp_path / "streams"
    streams.mkdir()
    (streams / "history.jsonl").write_text("".join(f'{{"due":{due},"end":{end}}}\n' for due, end in operations))
    folders = [tmp_path / f"round-{number}" for number in range(len(spans))]
    for folder in folders:
        folder.mkdir()
    share_out(streams, dict(zip(folders, spans, strict=True)), ended=1000)
    return [logins(folder) for folder in folders]


def test_the_calm_between_two_faults_belongs_to_both(tmp_path: Path) -> None:
    spans = [Span(0, 100), Span(200, 400)]
    first, second = shared(tmp_path, spans, [(50, 60), (150, 160), (300, 310), (500, 510)])
    assert first == [50, 150, 300]
    assert second == [300, 500]


def test_what_the_next_fault_cut_short_is_that_rounds_alone(tmp_path: Path) -> None:
    first, second = shared(tmp_path, [Span(0, 100), Span(200, 400)], [(390, 410)])
    assert (first, second) == ([], [390])


def test_no_round_no_file(tmp_path: Path) -> None:
    assert shared(tmp_path, [], [(1, 2)]) == []
