"""Builds a whole run folder out of nothing: good as gold, or broken in one named way, for checkers and report."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chaosblink.history import Event, FinalRead, Operation, write_lines
from tests.synthetic_breakage import BREAKAGES, Recording, break_folder
from tests.synthetic_scenarios import (
    INSTANCES,
    LATENCY_MS,
    MS,
    SCENARIOS,
    SECOND,
    STORES,
    VIEWERS,
    Scenario,
    leader_roles,
    paths_of,
    store_under_fault,
)

BEFORE = 22 * SECOND + 63 * MS
AFTER = 24 * SECOND


def build(
    folder: Path, experiments: Iterable[str] | None = None, rounds: int = 3, broken: str | None = None, seed: int = 1
) -> Path:
    """Write every file of a run below `folder` and return it.

    `experiments` defaults to all four; `broken` is a key of `synthetic_breakage.BREAKAGES` and spoils round 1 of the
    first experiment named. The same seed gives the same bytes.
    """
    if broken is not None and broken not in BREAKAGES:
        raise ValueError(f"{broken} is not one of {', '.join(sorted(BREAKAGES))}")
    chosen = [SCENARIOS[name] for name in (experiments or SCENARIOS)]
    folder.mkdir(parents=True, exist_ok=True)
    _write_run(folder, seed, rounds)
    _write_plan(folder, chosen, seed, rounds)
    clock = 1_000_000 * SECOND
    for scenario in chosen:
        for number in range(1, rounds + 1):
            spoil = broken if (scenario is chosen[0] and number == 1) else None
            clock += 200 * SECOND
            write(folder, record(scenario, number, seed, clock, spoil), spoil)
    _judge(folder)
    return folder


def record(scenario: Scenario, number: int, seed: int, start: int, spoil: str | None = None) -> Recording:
    """One round in memory: operations, events, final reads and round.json, then spoiled if asked."""
    chance = random.Random(f"{seed}/{scenario.name}/{number}")
    t0 = start + BEFORE
    outage = int(chance.uniform(*scenario.outage) * MS)
    redundant_ms = round(max(chance.uniform(*scenario.redundant), outage / MS + 500), 1)
    end = t0 + max(outage, int(redundant_ms * MS)) + AFTER
    recording = Recording(scenario, number, t0, outage, round_json(scenario, number, seed, start, redundant_ms))
    for path, settings in recording.round["paths"].items():
        recording.operations += _operations(recording, chance, path, settings["interval_ms"], (start, end))
    recording.operations.sort(key=lambda operation: operation.end)
    recording.events = _events(recording, chance, (start, end), int(redundant_ms * MS))
    recording.reads = _final_reads(recording, chance, end)
    if spoil:
        BREAKAGES[spoil].spoil(recording)
    return recording


def round_json(scenario: Scenario, number: int, seed: int, start: int, redundant_ms: float) -> dict[str, Any]:
    """round.json of a good round."""
    bound, formula = scenario.bound
    return {
        "experiment": scenario.name,
        "round": number,
        "seed": seed,
        "component": scenario.component,
        "selector": scenario.selector,
        "victims": [scenario.victim],
        "paths": paths_of(scenario),
        "bounds": {scenario.component: {"ms": bound, "formula": formula, "inputs": {"example_ms": bound / 4}}},
        "redundant_ms": redundant_ms,
        "residue": [],
        "wall": "2026-11-24T03:00:00+00:00",
        "monotonic_ns": start,
    }


def write(folder: Path, recording: Recording, spoil: str | None = None) -> Path:
    """Write one recording as its round folder and return that."""
    target = folder / recording.scenario.name / f"round-{recording.number:02d}"
    (target / "logs").mkdir(parents=True)
    _dump(target / "round.json", recording.round)
    write_lines(target / "history.jsonl", recording.operations)
    write_lines(target / "timeline.jsonl", sorted(recording.events, key=lambda event: event.at))
    write_lines(target / "final_reads.jsonl", recording.reads)
    _write_logins(target / "logins.jsonl", recording)
    _dump(target / "journal.json", _journal(recording))
    for instance in recording.round["victims"]:
        (target / "logs" / f"{instance}.log").write_text(f"{instance}: started\n{instance}: ready\n", encoding="utf-8")
    if spoil:
        break_folder(spoil, target)
    return target


def _operations(
    recording: Recording, chance: random.Random, path: str, interval_ms: int, span: tuple[int, int]
) -> list[Operation]:
    """One path's operations: steady, gone from t0 for the outage where the fault reaches it, steady again."""
    scenario, store = recording.scenario, path.split("/")[0]
    hit = store == store_under_fault(scenario) or (store == "login" and scenario.logins_fail)
    outage = recording.outage + chance.randrange(200) * MS if hit and recording.outage else 0
    back = recording.t0 + outage
    operations = []
    for count, due in enumerate(range(span[0], span[1], interval_ms * MS)):
        started = due + chance.randrange(50_000, 900_000)
        took = int(LATENCY_MS[store] * MS * chance.lognormvariate(0, 0.25))
        outcome, reason = _outcome(recording, path, (started, started + took), back)
        if outcome == "fail":
            took = chance.randrange(MS, 4 * MS)
        server = _server(recording, store, started, chance) if outcome == "ok" else ""
        op, name = ("login", "login") if store == "login" else ("write", path.replace("/", "-"))
        label = f"{scenario.name}-{recording.number}-{name}-{count}"
        operations.append(Operation(path, op, label, due, started, started + took, outcome, reason, server))
    return operations


def _outcome(recording: Recording, path: str, span: tuple[int, int], back: int) -> tuple[Any, str]:
    started, ended = span
    t0 = recording.t0
    if path == "login" and recording.scenario.component == "identity":
        return ("unknown", "userinfo:connection lost") if started <= t0 < ended else ("ok", "")
    if back == t0 or ended < t0 or started >= back:
        return "ok", ""
    if started <= t0:
        return "unknown", "connection lost"
    return "fail", "password:503" if path == "login" else "connection refused"


def _server(recording: Recording, store: str, at: int, chance: random.Random) -> str:
    scenario = recording.scenario
    if store == "login":
        if scenario.component == "identity" and recording.t0 <= at:
            return scenario.successor
        return chance.choice(INSTANCES["identity"])
    if store == store_under_fault(scenario):
        return scenario.victim if at < recording.t0 else scenario.successor
    return STORES[store][0]


def _events(recording: Recording, chance: random.Random, span: tuple[int, int], redundant: int) -> list[Event]:
    scenario, t0 = recording.scenario, recording.t0
    component, victims = scenario.component, recording.round["victims"]
    fault = {"id": f"kill-{recording.number}", "fault": "kill", "selector": scenario.selector, "victims": victims}
    life = {"instance": scenario.victim, "pid": 4242, "started": 1.0, "gone_at": t0, "pids_gone_at": {"4242": t0}}
    proof = {"asked": t0 - 2 * MS, "victims": [life]}
    why = {"component": component, "why": f"{scenario.victim} is away"}
    events = [
        Event(span[0], "round", {"event": "start"}),
        Event(span[0] + 100, "redundant", {"component": component, "redundant": True, "why": ""}),
        Event(t0 - SECOND, "baseline", {"event": "reached"}),
        Event(t0 - 3 * MS, "fault", fault | {"event": "injecting", "proof": {}}),
        Event(t0, "fault", fault | {"event": "bitten", "proof": proof}),
        Event(t0 + 60 * MS, "redundant", why | {"redundant": False}),
        Event(t0 + redundant, "redundant", {"component": component, "redundant": True, "why": ""}),
        Event(t0 + redundant + MS, "fault", fault | {"event": "healed", "proof": {}}),
        Event(span[1], "round", {"event": "end"}),
        Event(span[0] + 2 * SECOND, "tick", {"late": 61 * MS}),
    ]
    return events + _roles(recording, span, redundant) + _views(recording) + _cpu(recording, chance, span)


def _roles(recording: Recording, span: tuple[int, int], redundant: int) -> list[Event]:
    """Every instance's answers: a heartbeat a second and, under the fault, each change when a 20 Hz poll sees it."""
    scenario, t0 = recording.scenario, recording.t0
    lead, follow = scenario.roles
    events = []
    for component, instances in INSTANCES.items():
        for instance in instances:
            leads = (
                instance == scenario.victim
                if component == scenario.component
                else instance == _first(component, instance)
            )
            role = leader_roles(component)[0 if leads or "master" in instance else 1]
            changes = [(span[0], role)]
            if instance == scenario.victim:
                changes += [(t0 + 30 * MS, ""), (t0 + redundant - 400 * MS, follow)]
            elif instance == scenario.successor and component != "identity":
                changes += [(t0 + int(recording.outage * 0.8), lead)]
            events += _heartbeats(component, instance, changes, span[1])
    return events


def _first(component: str, instance: str) -> str:
    return instance if component in ("redis", "identity") else INSTANCES[component][0]


def _heartbeats(component: str, instance: str, changes: list[tuple[int, str]], end: int) -> list[Event]:
    times = dict(changes) | dict.fromkeys(range(changes[0][0] + SECOND, end, SECOND), "")
    events = []
    for at in sorted(times):
        role = [role for since, role in changes if since <= at][-1]
        data = {"component": component, "instance": instance, "role": role, "asked": at - 2 * MS}
        events.append(Event(at, "role", data))
    return events


def _views(recording: Recording) -> list[Event]:
    scenario, events = recording.scenario, []
    for count, viewer in enumerate(VIEWERS.get(scenario.component, [])):
        known = {"component": viewer.rsplit("-", 1)[0], "instance": viewer, "of": store_under_fault(scenario)}
        noticed = recording.t0 + int(recording.outage * 0.45) + count * 20 * MS
        follows = recording.t0 + int(recording.outage * 0.9) + count * 20 * MS
        for at, sees in ((recording.t0 - 20 * SECOND, scenario.victim), (noticed, ""), (follows, scenario.successor)):
            events.append(Event(at, "view", known | {"sees": sees}))
    return events


def _cpu(recording: Recording, chance: random.Random, span: tuple[int, int]) -> list[Event]:
    events = []
    for component, instances in INSTANCES.items():
        load = 12.0 if component == recording.scenario.component else 3.0
        for instance in instances:
            for at in range(span[0], span[1], SECOND // 4):
                gone = instance == recording.scenario.victim and 0 <= at - recording.t0 < 2 * SECOND
                percent = 0.0 if gone else round(load * chance.uniform(0.5, 1.8), 1)
                events.append(Event(at, "cpu", {"instance": instance, "percent": percent, "rss": 40_000_000}))
    return events


def _final_reads(recording: Recording, chance: random.Random, end: int) -> list[FinalRead]:
    reads = []
    for store, instances in STORES.items():
        mine = [op for op in recording.operations if op.path.split("/")[0] == store]
        kept = [op.id for op in mine if op.outcome == "ok" or (op.outcome == "unknown" and chance.random() < 0.5)]
        under_fault = store == store_under_fault(recording.scenario)
        leader = recording.scenario.successor if under_fault else instances[0]
        words = leader_roles(store.split("-")[0])
        for instance in instances:
            role = words[0] if instance == leader else words[1]
            reads.append(FinalRead(store, instance, role, end + SECOND, list(kept)))
    return reads


def _write_logins(path: Path, recording: Recording) -> None:
    """Locust's view: six requests a login, every third login of the prober's kind of luck."""
    with path.open("w", encoding="utf-8") as lines:
        for login in [op for op in recording.operations if op.path == "login"][::3]:
            share = (login.end - login.start) // 6
            for count, step in enumerate(("authorize", "session", "password", "callback", "token", "userinfo")):
                start = login.start + count * share
                ok = login.outcome == "ok" or step != "password"
                line = {"start": start, "end": start + share, "step": step, "status": 200 if ok else 503, "ok": ok}
                lines.write(json.dumps(line | {"error": "" if ok else "503", "served_by": login.server}) + "\n")
                if not ok:
                    break


def _journal(recording: Recording) -> dict[str, Any]:
    scenario = recording.scenario
    provider = {"type": "python", "module": "chaosblink.actions", "func": "kill"}
    activity = {
        "type": "action",
        "name": "kill it",
        "provider": provider | {"arguments": {"victim": scenario.selector}},
    }
    return {
        "chaoslib-version": "1.44.0",
        "platform": "Linux",
        "experiment": {"title": scenario.title, "description": scenario.title, "method": [activity], "rollbacks": []},
        "start": "2026-11-24T03:00:00",
        "status": "completed",
        "deviated": False,
        "steady_states": {"before": {"steady_state_met": True}, "after": {"steady_state_met": True}},
        "run": [{"activity": activity, "status": "succeeded", "output": {"victims": recording.round["victims"]}}],
        "rollbacks": [],
        "end": "2026-11-24T03:01:00",
        "duration": 60.0,
    }


def _write_run(folder: Path, seed: int, rounds: int) -> None:
    run = {
        "platform": "blinkchamber",
        "target": "local",
        "seed": seed,
        "commit": "0123456789abcdef",
        "options": {"rounds": rounds, "target": "local"},
        "machine": {"cores": 2, "memory_gib": 8, "kernel": "6.1.0", "python": "3.11.2"},
        "versions": {"vault": "OpenBao 2.7.2", "postgresql": "15.8", "redis": "7.0.15", "haproxy": "2.6.12"},
        "stand_ins": {"Vault": "OpenBao 2.7.2", "ZITADEL": "the ZITADEL stand-in", "KMS": "static seal key"},
        "resolutions": {"persistent": 10, "fresh": 25, "postgresql/fresh": 50, "login": 200},
        "wall": "2026-11-24T03:00:00+00:00",
        "monotonic_ns": 1_000_000 * SECOND,
    }
    _dump(folder / "run.json", run)


def _write_plan(folder: Path, chosen: list[Scenario], seed: int, rounds: int) -> None:
    planned = [
        {
            "experiment": scenario.name,
            "round": number,
            "folder": f"{scenario.name}/round-{number:02d}",
            "selector": scenario.selector,
            "delay_ms": 0,
            "command": f"chaosblink run {scenario.name} --rounds 1 --first-round {number} --seed {seed}",
        }
        for scenario in chosen
        for number in range(1, rounds + 1)
    ]
    _dump(folder / "plan.json", {"seed": seed, "rounds": planned})


def _judge(folder: Path) -> None:
    try:
        from chaosblink.verdicts import write_verdicts
    except ImportError:
        return
    write_verdicts(folder)


def _dump(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
