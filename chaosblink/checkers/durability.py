"""What clients were told is stored against what each server holds: lost, phantom and duplicate operations by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chaosblink.checkers.finding import Finding, names, unknown
from chaosblink.checkers.rounds import Round, store_of
from chaosblink.history import Event, FinalRead, Operation

NEEDS = ("history.jsonl", "final_reads.jsonl")
TIMING = False

LEADERS = ("leader", "primary", "master", "active")
"""What the components call the server that takes writes."""


def says_it_leads(event: Event) -> bool:
    """Whether in this role event an instance says that it takes writes."""
    return event.data.get("role") in LEADERS


@dataclass(frozen=True, slots=True)
class Copy:
    """One server's copy of a store: ids acknowledged but absent, refused but present, present more than once."""

    store: str
    instance: str
    role: str
    acknowledged: int
    lost: list[str]
    phantoms: list[str]
    duplicates: list[str]

    @property
    def wrong(self) -> set[str]:
        """Every id with which something is wrong in this copy."""
        return {*self.lost, *self.phantoms, *self.duplicates}

    def __str__(self) -> str:
        faults = {"lost": self.lost, "phantom": self.phantoms, "duplicate": self.duplicates}
        told = [f"{len(ids)} {kind} ({names(ids)})" for kind, ids in faults.items() if ids]
        return f"{self.instance} ({self.role or 'role unknown'}): " + ", ".join(told)


def check(recorded: Round, bound: float, stores: str, copies: Mapping[str, int]) -> Finding:
    """No acknowledged operation is lost, no refused one visible and none twice, on the leader and on every replica.

    `stores` as in `Round.stores`; `copies` says how many servers hold a store (`{"redis": 2}`).
    """
    lacking = recorded.lacks(*NEEDS)
    if lacking:
        return unknown(lacking)
    judged = recorded.stores(stores)
    if not judged:
        return unknown(f"round.json names no path on a store {stores.replace('-', ' ')}")
    found = [copy for store in judged for copy in durability(recorded.operations, recorded.final_reads, store)]
    wrong = {operation for copy in found for operation in copy.wrong}
    if len(wrong) > bound:
        return Finding("fail", len(wrong), "; ".join(str(copy) for copy in found if copy.wrong))
    if gaps := [gap for store in judged for gap in unread(recorded, store, copies)]:
        return unknown("; ".join(gaps))
    checked = sum(copy.acknowledged for copy in found if copy.role in LEADERS)
    return Finding("pass", len(wrong), f"{checked} acknowledged writes found on each of {len(found)} servers")


def durability(operations: Iterable[Operation], reads: Iterable[FinalRead], store: str) -> list[Copy]:
    """Compare the operations on `store` with each complete final read of it; `unknown` ones may be there or not."""
    mine = [op for op in operations if op.writes and store_of(op.path) == store]
    acknowledged = [op.id for op in mine if op.outcome == "ok"]
    refused = [op.id for op in mine if op.outcome == "fail"]
    ours = {op.id for op in mine}
    copies = []
    for read in _last_reads(reads, store):
        if read.complete:
            held = Counter(read.ids)
            twice = [operation for operation, count in held.items() if count > 1 and operation in ours]
            lost = [operation for operation in acknowledged if operation not in held]
            phantoms = [operation for operation in refused if operation in held]
            copies.append(Copy(store, read.instance, read.role, len(acknowledged), lost, phantoms, twice))
    return copies


def _last_reads(reads: Iterable[FinalRead], store: str) -> list[FinalRead]:
    """One read a server: a later line replaces an earlier, failed attempt."""
    return list({read.instance: read for read in reads if read.store == store}.values())


def unread(recorded: Round, store: str, copies: Mapping[str, int]) -> list[str]:
    """Why the final reads of a store do not allow to say what is lost; `copies` as in `check`."""
    needed = copies.get(store.partition("-")[0], 1)
    reads = _last_reads(recorded.final_reads, store)
    gaps = [f"{store} on {read.instance} was not read whole: {read.why}" for read in reads if not read.complete]
    if len(reads) < needed:
        gaps.append(f"{store} was read on {len(reads)} of {needed} servers")
    if not any(read.role in LEADERS for read in reads):
        gaps.append(f"{store} was not read on a leader")
    if not any(op.outcome == "ok" and op.writes for op in recorded.operations if store_of(op.path) == store):
        gaps.append(f"nothing on {store} was acknowledged, so nothing is proven")
    return gaps
