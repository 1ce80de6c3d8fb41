"""The journal of faults: one file each, on disk before anything is broken, open until the fault is proven gone."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import filelock

from chaosblink.faults.effect import Effect, FaultError, Victim
from chaosblink.targets import Target

Status = Literal["planned", "injected", "reverted", "failed"]
LOCK_S = 120.0
"""Longer than any injection or reverting takes: who waits longer has found a holder that hangs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One fault on disk. `failed` means it could not be injected or undone, and something of it may be left.

    `expires` is seconds on this boot's clock (CLOCK_BOOTTIME, which also runs while the machine sleeps); `boot` tells
    one boot from another.
    """

    id: str
    platform: str
    fault: str
    arguments: dict[str, Any]
    selector: str
    victims: list[Victim]
    ttl: float
    expires: float
    boot: str
    status: Status = "planned"
    t0: int = 0
    proof: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    wall: str = ""

    def effect(self) -> Effect:
        """The fault as an effect that can be reverted; t0 and proof are empty if it never came to bite."""
        return Effect(self.fault, self.victims, self.t0, self.proof, self.id, self.selector, self.arguments)

    def label(self, event: str) -> dict[str, Any]:
        """What a timeline event of this fault says."""
        names = [victim.instance for victim in self.victims]
        return {"event": event, "id": self.id, "fault": self.fault, "selector": self.selector, "victims": names}

    @property
    def open(self) -> bool:
        """Whether something of the fault may still be there."""
        return self.status != "reverted"

    @property
    def left(self) -> float:
        """Seconds until the fault expires; 0 after another boot, which ended every process and namespace."""
        return max(0.0, self.expires - now()) if self.boot == boot() else 0.0


def now() -> float:
    """Seconds since boot, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def folder(target: Target) -> Path:
    """Where the platform's faults are journaled; made if missing."""
    place = target.state / "faults"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def plan(
    target: Target, fault: str, arguments: dict[str, Any], selector: str, victims: list[Victim], ttl: float
) -> Entry:
    """Write a fault down before it is injected; `ttl` is in seconds. Returns once it is on disk."""
    if ttl <= 0:
        raise FaultError(f"a fault needs a time to live above 0 s, not {ttl:g}")
    entry = Entry(
        id=f"{fault}-{time.strftime('%H%M%S')}-{secrets.token_hex(3)}",
        platform=target.name,
        fault=fault,
        arguments=arguments,
        selector=selector,
        victims=victims,
        ttl=ttl,
        expires=now() + ttl,
        boot=boot(),
        wall=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    save(path(target, entry.id), entry)
    return entry


def path(target: Target, identity: str) -> Path:
    """The file of a fault."""
    return folder(target) / f"{identity}.json"


def save(place: Path, entry: Entry) -> None:
    """Replace the entry's file in one step; on disk (file and directory) when this returns."""
    draft = place.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(entry), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(place)
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def load(place: Path) -> Entry:
    """An entry from its file; FaultError when it cannot be read."""
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        content["victims"] = [victim_of(victim) for victim in content["victims"]]
        return Entry(**content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FaultError(f"{place} is no readable fault: {error}") from None


def victim_of(content: dict[str, Any]) -> Victim:
    """A victim from its JSON, in which pids became strings; KeyError names what is missing."""
    ticks = {int(pid): int(tick) for pid, tick in content["processes"].items()}
    return Victim(content["instance"], content["pid"], content["started"], ticks, content.get("place", {}))


def update(place: Path, **changes: Any) -> Entry:
    """Change some fields of an entry on disk; hold `exclusive` around it."""
    entry = replace(load(place), **changes)
    save(place, entry)
    return entry


@contextmanager
def exclusive(place: Path) -> Iterator[None]:
    """Hold a fault alone: run, reverter and rollback never inject or undo the same one at the same time."""
    try:
        with filelock.FileLock(place.with_suffix(".lock"), timeout=LOCK_S):
            yield
    except filelock.Timeout:
        raise FaultError(f"{place.stem} is held by another process for more than {LOCK_S:g} s") from None


def open_faults(target: Target) -> list[Path]:
    """Files of all faults not proven gone, oldest first."""
    written = sorted(folder(target).glob("*.json"), key=lambda place: place.stat().st_mtime_ns)
    return [place for place in written if load(place).open]
