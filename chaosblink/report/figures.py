"""The figures of one round, as the checkers see it: outage of each path, errors by kind, redundancy, loss by store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from chaosblink.checkers.disturbance import disturbance
from chaosblink.checkers.durability import LEADERS, durability
from chaosblink.checkers.outage import Outage, outage
from chaosblink.checkers.rounds import store_of
from chaosblink.history import Operation
from chaosblink.report.blame import Blame, blame
from chaosblink.report.recording import Round

STORE_NOTHING = ("login", "deliver")
"""Operations that leave nothing in a store of their own: events are compared by checkers that know both their ends."""


@dataclass(frozen=True, slots=True)
class PathFigures:
    """One path in one round; `outage` is None without t0, `focus` means the store under fault or the logins."""

    path: str
    focus: bool
    interval_ms: float | None
    total: int
    acknowledged: int
    failed: int
    unknown: int
    outage: Outage | None


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """One store after recovery: the most any server lacks or has too much; None when no leader was read whole."""

    store: str
    acknowledged: int
    lost: int | None
    phantom: int | None
    duplicate: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """Everything the page shows of one round; `errors` are (path, outcome, reason, count), most frequent first."""

    paths: list[PathFigures]
    stores: list[StoreFigures]
    blame: Blame | None
    redundant_ms: float | None
    errors: list[tuple[str, str, str, int]]
    disturbed: str
    residue: list[str]

    def worst_ms(self) -> float:
        """Longest outage of the paths in focus, ms; a path that never came back is longest of all."""
        outages = [one.outage for one in self.paths if one.focus and one.outage]
        return max((float("inf") if found.ms is None else found.ms for found in outages), default=-1.0)


def figures(recording: Round) -> RoundFigures:
    """All figures of a round; with files missing, what is left of them."""
    by_path: dict[str, list[Operation]] = {}
    for operation in recording.operations:
        by_path.setdefault(operation.path, []).append(operation)
    paths = [_path(recording, path, operations) for path, operations in by_path.items()]
    paths.sort(key=lambda one: (not one.focus, one.path == "login", one.path))
    redundant = recording.details.get("redundant_ms")
    return RoundFigures(
        paths,
        _stores(recording),
        blame(recording, _login_ms(recording, by_path.get("login", []))),
        float(redundant) if isinstance(redundant, int | float) else None,
        _errors(recording.operations),
        disturbance(recording.recorded).removeprefix("disturbed: "),
        [str(one) for one in recording.details.get("residue") or []],
    )


def _path(recording: Round, path: str, operations: list[Operation]) -> PathFigures:
    counts = Counter(operation.outcome for operation in operations)
    settings = recording.path_settings(path)
    interval = settings.get("interval_ms")
    return PathFigures(
        path,
        bool(settings.get("focus", store_of(path) in (recording.recorded.store, "login"))),
        float(interval) if isinstance(interval, int | float) else None,
        len(operations),
        counts["ok"],
        counts["fail"],
        counts["unknown"],
        None if recording.t0 is None else outage(operations, recording.t0, path),
    )


def _login_ms(recording: Round, logins: list[Operation]) -> float | None:
    """t0 to the end of the first login invoked after it from which logins stay up."""
    if recording.t0 is None or not logins:
        return None
    recovered_at = outage(logins, recording.t0, "login").recovered_at
    return None if recovered_at is None else (recovered_at - recording.t0) / 1e6


def _stores(recording: Round) -> list[StoreFigures]:
    written = {store_of(one.path) for one in recording.operations if one.op not in STORE_NOTHING and "/" in one.path}
    stores = written | {read.store for read in recording.recorded.final_reads}
    return [_store(recording, store) for store in sorted(stores)]


def _store(recording: Round, store: str) -> StoreFigures:
    mine = [one for one in recording.operations if one.op not in STORE_NOTHING and store_of(one.path) == store]
    acknowledged = sum(one.outcome == "ok" for one in mine)
    reads = [read for read in recording.recorded.final_reads if read.store == store]
    copies = durability(mine, reads, store)
    if not any(copy.role in LEADERS for copy in copies):
        reasons = [read.why or "incomplete" for read in reads if not read.complete]
        return StoreFigures(store, acknowledged, None, None, None, "; ".join(reasons) or "no final read of a leader")
    counts = [(len(copy.lost), len(copy.phantoms), len(copy.duplicates)) for copy in copies]
    lost, phantom, duplicate = (max(column) for column in zip(*counts, strict=True))
    wrong = [f"{read.instance}: {read.why or 'incomplete'}" for read in reads if not read.complete]
    return StoreFigures(store, acknowledged, lost, phantom, duplicate, "; ".join(wrong))


def _errors(operations: list[Operation]) -> list[tuple[str, str, str, int]]:
    kinds = Counter((one.path, one.outcome, one.reason) for one in operations if one.outcome != "ok")
    return [(*kind, count) for kind, count in kinds.most_common()]
