"""The blame timeline: fault -> noticed -> new leader -> proxy follows -> login succeeds, from the events of a round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chaosblink.checkers.failover import failover, roles_under_fault
from chaosblink.history import Event, Operation
from chaosblink.report.recording import Round

LEADERS = frozenset({"leader", "primary", "master"})
"""Roles only one instance of a group may have; `active` identity nodes are peers, so nobody follows them."""
STAGES = ("noticed", "new leader", "proxy follows", "login succeeds")
NO_LEADER = "no leader"
MEANINGS = {
    "noticed": "a peer, Sentinel or proxy first stops taking the victim for the leader",
    "new leader": "an instance first says that it leads",
    "proxy follows": "the first fresh connection after that succeeds",
    "login succeeds": "the first login invoked after the fault from which logins stay up",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a recovery: milliseconds after t0 (None = not seen), who did it, and the bracket's width in ms."""

    name: str
    ms: float | None
    who: str = ""
    bracket_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Blame:
    """The four stages of one round, and how leadership went on: a word of checkers/failover.py, or NO_LEADER."""

    stages: tuple[Stage, ...]
    kind: str = ""

    def stage(self, name: str) -> Stage:
        """The stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)

    def expects(self, stage: Stage) -> bool:
        """Whether the stage can happen at all: where nobody leads, only the login remains."""
        return self.kind != NO_LEADER or stage.name == STAGES[-1]

    def text(self, stage: Stage) -> str:
        """Its milliseconds after t0, or why there are none."""
        if stage.ms is not None:
            return f"{stage.ms:,.0f}"
        return "not seen" if self.expects(stage) else NO_LEADER


def blame(recording: Round, login_ms: float | None) -> Blame | None:
    """Where the time went in one round; None without a t0. `login_ms` is t0 to the login from which logins stay up.

    Stages follow docs/measuring.md rule 6; of a bracketed answer the earlier bound is used (rule 1).
    """
    t0 = recording.t0
    if t0 is None:
        return None
    leader = _new_leader(recording, t0)
    noticed = _noticed(recording, t0)
    if leader and (noticed is None or _when(leader) < _when(noticed)):
        noticed = leader
    follows = _first_fresh_success(recording, _when(leader)) if leader else None
    return Blame(
        (
            _from_event("noticed", noticed, t0),
            _from_event("new leader", leader, t0),
            Stage("proxy follows", _ms(follows.end, t0), follows.server) if follows else Stage("proxy follows", None),
            Stage("login succeeds", login_ms),
        ),
        _kind(recording, t0),
    )


def _kind(recording: Round, t0: int) -> str:
    """In the words of the checker that counts failovers; empty where a component has no leader."""
    roles = list(_roles(recording))
    return failover(roles, t0).kind if any(_leads(event) for event in roles) else NO_LEADER


def _new_leader(recording: Round, t0: int) -> Event | None:
    """First answer "I lead" after t0 by another instance, or by a victim that had stopped saying so."""
    led_before = {_instance(event) for event in _roles(recording) if _when(event) < t0 and _leads(event)}
    stepped_down: set[str] = set()
    for event in _roles(recording):
        if _when(event) < t0:
            continue
        name = _instance(event)
        if not _leads(event):
            stepped_down.add(name)
        elif name not in led_before or name in stepped_down:
            return event
    return None


def _noticed(recording: Round, t0: int) -> Event | None:
    """First view after t0 of somebody who took a victim for the leader before, and now does not."""
    victims = set(recording.victims)
    believers: set[tuple[str, str, str]] = set()
    for event in recording.events:
        if event.kind != "view" or _instance(event) in victims:
            continue
        viewer = (str(event.data.get("component")), _instance(event), str(event.data.get("of")))
        sees_victim = event.data.get("sees") in victims
        if event.at < t0 and sees_victim:
            believers.add(viewer)
        elif event.at < t0:
            believers.discard(viewer)
        elif viewer in believers and not sees_victim:
            return event
    return None


def _first_fresh_success(recording: Round, after: int) -> Operation | None:
    successes = (
        operation for operation in recording.operations if operation.outcome == "ok" and operation.start >= after
    )
    fresh = [operation for operation in successes if operation.path == f"{recording.recorded.store}/fresh"]
    return min(fresh, key=lambda operation: operation.end, default=None)


def _roles(recording: Round) -> Iterator[Event]:
    """Role events of the group under fault (of Redis only the set) by earlier bound."""
    return iter(sorted(roles_under_fault(recording.recorded), key=_when))


def _instance(event: Event) -> str:
    return str(event.data.get("instance", ""))


def _leads(event: Event) -> bool:
    return event.data.get("role") in LEADERS


def _when(event: Event) -> int:
    """The earlier bound: when the question was sent, if the event tells."""
    asked = event.data.get("asked")
    return int(asked) if isinstance(asked, int) and asked <= event.at else event.at


def _from_event(name: str, event: Event | None, t0: int) -> Stage:
    if event is None:
        return Stage(name, None)
    return Stage(name, _ms(max(_when(event), t0), t0), _instance(event), (event.at - _when(event)) / 1e6)


def _ms(at: int, t0: int) -> float:
    return (at - t0) / 1e6
