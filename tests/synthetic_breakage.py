"""The ways a synthetic round can be broken, each with the word a verdict must say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chaosblink.history import Event, FinalRead, Operation
from tests.synthetic_scenarios import MS, SECOND, Scenario, store_under_fault


@dataclass
class Recording:
    """One round in memory; `t0` in ns, `outage` in ns, `round` is round.json."""

    scenario: Scenario
    number: int
    t0: int
    outage: int
    round: dict[str, Any]
    operations: list[Operation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    reads: list[FinalRead] = field(default_factory=list)

    def focus(self) -> list[int]:
        """Positions in `operations` of the writes on the store under fault."""
        store = store_under_fault(self.scenario)
        return [n for n, op in enumerate(self.operations) if op.path.split("/")[0] == store]

    def change(self, where: Callable[[Operation], bool], **fields: Any) -> None:
        """Replace fields of the operations for which `where` holds."""
        self.operations = [replace(op, **fields) if where(op) else op for op in self.operations]


@dataclass(frozen=True)
class Breakage:
    """What is done to the recording, which promise's verdict suffers, and a word its `why` must hold."""

    spoil: Callable[[Recording], None]
    promise: str
    word: str


def break_folder(name: str, folder: Path) -> None:
    """Damage that only exists on disk: missing, empty, cut or garbled files."""
    history = folder / "history.jsonl"
    if name == "missing-history":
        history.unlink()
    elif name == "empty-history":
        history.write_text("", encoding="utf-8")
    elif name == "garbled-history":
        lines = history.read_text(encoding="utf-8").splitlines(keepends=True)
        history.write_text("".join([*lines[:100], "{nonsense\n", *lines[100:]]), encoding="utf-8")
    elif name == "cut-last-line":
        history.write_text(history.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    elif name == "missing-final-reads":
        (folder / "final_reads.jsonl").unlink()
    elif name == "missing-folder":
        folder.rename(folder.parent.parent / "elsewhere")


def _reads_of(recording: Recording) -> list[int]:
    store = store_under_fault(recording.scenario)
    return [n for n, read in enumerate(recording.reads) if read.store == store]


def _acknowledged(recording: Recording) -> str:
    return next(recording.operations[n].id for n in recording.focus() if recording.operations[n].outcome == "ok")


def _lose(recording: Recording) -> None:
    gone = _acknowledged(recording)
    for n in _reads_of(recording):
        recording.reads[n] = replace(recording.reads[n], ids=[id for id in recording.reads[n].ids if id != gone])


def _lose_on_replica(recording: Recording) -> None:
    n = next(n for n in _reads_of(recording) if recording.reads[n].role in ("standby", "replica"))
    recording.reads[n] = replace(recording.reads[n], ids=recording.reads[n].ids[1:])


def _phantom(recording: Recording) -> None:
    refused = next(op.id for op in map(recording.operations.__getitem__, recording.focus()) if op.outcome == "fail")
    for n in _reads_of(recording):
        recording.reads[n].ids.append(refused)


def _duplicate(recording: Recording) -> None:
    for n in _reads_of(recording):
        recording.reads[n].ids.append(recording.reads[n].ids[0])


def _incomplete(recording: Recording) -> None:
    n = _reads_of(recording)[0]
    recording.reads[n] = replace(recording.reads[n], complete=False, why="connection lost while reading")


def _no_leader_read(recording: Recording) -> None:
    for n in _reads_of(recording):
        recording.reads[n] = replace(recording.reads[n], role="standby")


def _two_leaders(recording: Recording) -> None:
    late = [n for n in recording.focus() if recording.operations[n].start > recording.t0 + recording.outage + SECOND]
    recording.operations[late[20]] = replace(recording.operations[late[20]], server=recording.scenario.victim)


def _never_back(recording: Recording) -> None:
    store = store_under_fault(recording.scenario)
    recording.change(
        lambda op: op.path.startswith(store + "/") and op.start > recording.t0,
        outcome="fail",
        reason="connection refused",
        server="",
    )


def _slow(recording: Recording) -> None:
    store = store_under_fault(recording.scenario)
    back = recording.t0 + 14 * SECOND
    recording.change(
        lambda op: op.path.startswith(store + "/") and recording.t0 < op.start < back,
        outcome="fail",
        reason="connection refused",
        server="",
    )


def _flap(recording: Recording) -> None:
    """Up for two seconds, down for one, up again: recovery counts from the second time."""
    store = store_under_fault(recording.scenario)
    down = recording.t0 + recording.outage + 2 * SECOND
    recording.change(
        lambda op: op.path.startswith(store + "/") and down <= op.start < down + 12 * SECOND,
        outcome="fail",
        reason="connection refused",
        server="",
    )


def _too_few(recording: Recording) -> None:
    store = store_under_fault(recording.scenario)
    mine = recording.focus()
    keep = set(mine[::2])
    recording.operations = [
        op for n, op in enumerate(recording.operations) if not op.path.startswith(store) or n in keep
    ]


def _ends_early(recording: Recording) -> None:
    stop = recording.t0 + recording.outage + 2 * SECOND
    recording.operations = [op for op in recording.operations if op.start < stop]


def _late_tick(recording: Recording) -> None:
    recording.events.append(Event(recording.t0 + SECOND, "tick", {"late": 400 * MS}))


def _late_starts(recording: Recording) -> None:
    recording.operations = [
        replace(op, start=op.start + 80 * MS, end=op.end + 80 * MS) if n % 10 == 0 else op
        for n, op in enumerate(recording.operations)
    ]


def _second_failover(recording: Recording) -> None:
    scenario = recording.scenario
    data = {"component": scenario.component, "instance": scenario.victim, "role": scenario.roles[0]}
    at = max(event.at for event in recording.events if event.kind == "role")
    recording.events.append(Event(at, "role", data | {"asked": at - MS}))


def _drop(kind: str, event: str | None = None) -> Callable[[Recording], None]:
    def spoil(recording: Recording) -> None:
        recording.events = [
            known
            for known in recording.events
            if known.kind != kind or (event is not None and known.data.get("event") != event)
        ]

    return spoil


def _no_proof(recording: Recording) -> None:
    recording.events = [
        replace(event, data=event.data | {"proof": {}}) if event.kind == "fault" else event
        for event in recording.events
    ]


def _slow_logins(recording: Recording) -> None:
    back = recording.t0 + 13 * SECOND
    recording.change(
        lambda op: op.path == "login" and recording.t0 < op.start < back, outcome="unknown", reason="password:503"
    )


def _bystander(recording: Recording) -> None:
    bystander = "redis-3" if recording.scenario.component != "redis" else "vault"
    hit = [op.id for op in recording.operations if op.path.startswith(bystander) and op.start > recording.t0 + SECOND]
    recording.change(lambda op: op.id == hit[3], outcome="fail", reason="connection refused", server="")
    for n, read in enumerate(recording.reads):
        recording.reads[n] = replace(read, ids=[id for id in read.ids if id != hit[3]])


def _set(**fields: Any) -> Callable[[Recording], None]:
    return lambda recording: recording.round.update(fields)


def _high_bound(recording: Recording) -> None:
    recording.round["bounds"][recording.scenario.component]["ms"] = 30_000.0


def _low_bound(recording: Recording) -> None:
    recording.round["bounds"][recording.scenario.component]["ms"] = 1_000.0


def _nothing(_: Recording) -> None:
    """The damage is done on disk."""


BREAKAGES: dict[str, Breakage] = {
    "lost": Breakage(_lose, "nothing-acknowledged-is-lost", "lost"),
    "lost-on-replica": Breakage(_lose_on_replica, "nothing-acknowledged-is-lost", "lost"),
    "phantom": Breakage(_phantom, "nothing-acknowledged-is-lost", "phantom"),
    "duplicate": Breakage(_duplicate, "nothing-acknowledged-is-lost", "duplicate"),
    "incomplete-read": Breakage(_incomplete, "nothing-acknowledged-is-lost", "connection lost while reading"),
    "no-leader-read": Breakage(_no_leader_read, "nothing-acknowledged-is-lost", "leader"),
    "two-leaders": Breakage(_two_leaders, "one-leader-acknowledges", "acknowledged"),
    "never-back": Breakage(_never_back, "postgresql-writes-back", "never came back"),
    "slow": Breakage(_slow, "postgresql-writes-back", "above"),
    "flapping": Breakage(_flap, "postgresql-writes-back", "above"),
    "too-few": Breakage(_too_few, "recording-counts", "issued"),
    "ends-early": Breakage(_ends_early, "postgresql-writes-back", "ends"),
    "late-tick": Breakage(_late_tick, "postgresql-writes-back", "disturbed"),
    "late-starts": Breakage(_late_starts, "postgresql-writes-back", "disturbed"),
    "second-failover": Breakage(_second_failover, "one-failover", "2"),
    "no-roles": Breakage(_drop("role"), "one-failover", "role"),
    "no-bite": Breakage(_drop("fault", "bitten"), "fault-bites", "bitten"),
    "no-proof": Breakage(_no_proof, "fault-bites", "proof"),
    "slow-logins": Breakage(_slow_logins, "logins-recover-with-postgresql", "above"),
    "bystander-failed": Breakage(_bystander, "bystanders-keep-writing", "failed"),
    "no-redundancy": Breakage(_set(redundant_ms=None), "postgresql-redundant-again", "redundancy"),
    "residue": Breakage(_set(residue=["postgresql-0 is still stopped"]), "fault-is-gone", "still stopped"),
    "bound-above-promise": Breakage(_high_bound, "postgresql-configured-bound", "above"),
    "above-bound": Breakage(_low_bound, "below-configured-bound", "above"),
    "no-bounds": Breakage(_set(bounds={}), "postgresql-configured-bound", "no configured bound"),
    "missing-history": Breakage(_nothing, "recording-counts", "history.jsonl"),
    "empty-history": Breakage(_nothing, "recording-counts", "no operation"),
    "garbled-history": Breakage(_nothing, "recording-counts", "line 101"),
    "cut-last-line": Breakage(_nothing, "", ""),
    "missing-final-reads": Breakage(_nothing, "nothing-acknowledged-is-lost", "final_reads.jsonl"),
    "missing-folder": Breakage(_nothing, "recording-counts", "missing"),
}
