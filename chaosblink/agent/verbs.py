"""The fixed list of what an agent does, each verb a function from JSON to JSON."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaosblink.agent.node import Node, Pod
from chaosblink.faults import driver, journal
from chaosblink.faults.carrying_out import carry_out
from chaosblink.faults.effect import FaultError, Victim, snapshot
from chaosblink.faults.undo import undo

FAULTS = ("kill", "pause", "isolate")
LONGEST_TTL_S = 3600.0
Body = dict[str, Any]
Verify = Callable[[Body], Pod]
"""Makes sure of a pod (`namespace`, `name`, `uid`): on this node, in a labelled namespace; FaultError otherwise."""


class Verbs:
    """What one agent does. FaultError for everything it will not or cannot do."""

    def __init__(self, node: Node, verify: Verify) -> None:
        self._node, self._verify = node, verify
        self._seen: dict[str, Pod] = {}
        self._lock = threading.Lock()  # a fault at a time: two of them on one pod would undo each other
        self.known: dict[str, Callable[[Body], Any]] = {
            "contact": lambda _: {},
            "lifetimes": self.lifetimes,
            "cpu": self.cpu,
            "undo": self.undo,
            "residue": self.residue,
            **{name: self._injector(name) for name in FAULTS},
        }

    def lifetimes(self, body: Body) -> list[Body]:
        """The present lives of the pods in `pods` as victims."""
        found = []
        for asked in body["pods"]:
            pod = self._verify(asked)
            self._seen[pod.uid] = pod
            victim = snapshot(self._node, self._node.know(pod))
            found.append({**asdict(victim), "place": pod.place()})
        return found

    def cpu(self, body: Body) -> Body:
        """For each pod in `pods`: CPU seconds of its server's processes so far, and their resident bytes."""
        return self._node.usage([self._known(asked) for asked in body["pods"]])

    def undo(self, body: Body) -> list[str]:
        """Undo the open faults of this name on these victims; one line each, none when there is nothing to undo."""
        lives = sorted((v.instance, v.pid, v.started) for v in _victims(body))
        with self._lock:
            return [
                undo(self._node, place)
                for place in journal.open_faults(self._node)
                if _same(journal.load(place), body["fault"], lives)
            ]

    def residue(self, body: Body) -> list[str]:
        """What of a fault is left on the victims."""
        victims = _victims(body)
        for victim in victims:
            self._node.know(self._known(victim.place))
        name = self._fault(body["fault"])
        return driver.of(self._node, name).fault(name, 1, body["arguments"]).residue(victims)

    def _injector(self, fault: str) -> Callable[[Body], Body]:
        def inject(body: Body) -> Body:
            ttl = float(body["ttl"])
            if not 0 < ttl <= LONGEST_TTL_S:
                raise FaultError(f"{fault}: a time to live lies between 0 and {LONGEST_TTL_S:g} s")
            victims = _victims(body)
            for victim in victims:
                self._make_sure(victim)
            with self._lock:
                self._node.run_addresses = [str(address) for address in body.get("run_addresses", [])]
                entry = journal.plan(self._node, fault, body["arguments"], body["selector"], victims, ttl)
                effect = carry_out(self._node, entry, arm=_guarded)
            return {"t0": effect.t0, "proof": effect.proof}

        return inject

    def _make_sure(self, victim: Victim) -> None:
        """FaultError unless the pod may be broken and the processes named are its server's."""
        instance = self._node.know(self._verify(victim.place))
        if strangers := self._node.strangers(instance, victim.processes):
            raise FaultError(f"processes {strangers} are not those of {victim.instance}")

    def _known(self, asked: Body) -> Pod:
        """A pod that was made sure of, now or earlier in this life."""
        uid = str(asked["uid"])
        if uid not in self._seen:
            self._seen[uid] = self._verify(asked)
        return self._seen[uid]

    def _fault(self, name: str) -> str:
        if name not in FAULTS:
            raise FaultError(f"an agent has no fault {name!r}; there are {', '.join(FAULTS)}")
        return name


def _guarded(_entry: Path) -> None:
    """The agent's own guardian sees to the end of what stands in its journal; no reverter of its own is needed."""


def _victims(body: Body) -> list[Victim]:
    return [journal.victim_of(content) for content in body["victims"]]


def _same(entry: journal.Entry, fault: str, lives: list[tuple[str, int, float]]) -> bool:
    return entry.fault == fault and sorted((v.instance, v.pid, v.started) for v in entry.victims) == lives


class Guardian:
    """Undoes what nobody else will: faults of the agent's earlier life, expired ones, and all when the run is lost."""

    CONTACT_S = 15.0
    """A run says so every 3 s; what it injected ends when it has been silent for this long."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._heard = -self.CONTACT_S
        self._tried: dict[Path, float] = {}

    def heard(self) -> None:
        """The run is there."""
        self._heard = time.monotonic()

    def look(self) -> list[str]:
        """Undo everything that is due; one line each, of failures too (they are tried again 5 s later)."""
        lines = []
        lost = time.monotonic() - self._heard > self.CONTACT_S
        for place in journal.open_faults(self._node):
            if not (lost or journal.load(place).left <= 0) or time.monotonic() - self._tried.get(place, -9e9) < 5:
                continue
            try:
                lines.append(undo(self._node, place))
            except FaultError as error:
                lines.append(f"not undone: {error}")
            self._tried[place] = time.monotonic()
        return lines

    def forget(self) -> None:
        """Remove closed entries, so that the journal does not grow for ever."""
        for place in journal.folder(self._node).glob("*.json"):
            if not journal.load(place).open:
                for file in place.parent.glob(f"{place.stem}.*"):
                    file.unlink()
