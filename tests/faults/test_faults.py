"""Each fault, on real processes: it bites, its proof says so, and nothing of it is left after it is reverted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
import pytest
from process_target import ProcessTarget

from chaosblink import faults
from chaosblink.faults import FaultError, journal, undo
from chaosblink.faults.effect import Effect, snapshot
from chaosblink.faults.injection import inject
from chaosblink.history import read_events


def _inject(target: ProcessTarget, fault: str, selector: str = "identity/any", ttl: float = 60) -> Effect:
    return inject(target, fault, selector, ttl, seed=1)


def _states(pids: list[int]) -> set[str]:
    return {psutil.Process(pid).status() for pid in pids}


def test_kill_ends_every_process_of_the_instance(target: ProcessTarget) -> None:
    before = time.monotonic_ns()
    effect = _inject(target, "kill")
    (victim,) = effect.victims
    assert len(victim.processes) == 3
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in victim.processes)
    assert before < effect.t0 < time.monotonic_ns()
    assert effect.proof["victims"][0]["gone_at"] == effect.t0


def test_what_is_killed_may_stay_down_until_it_is_reverted(target: ProcessTarget) -> None:
    effect = inject(target, "kill", "identity/*", 60, seed=1, stays_down=True)
    assert [target.lifetime(instance) for instance in target.instances()] == [None, None]
    undo.rollback(target)
    assert all(target.lifetime(instance) for instance in target.instances())
    assert effect.arguments == {"stays_down": True}
    assert undo.residue(target) == []


def test_kill_leaves_the_other_instances_alone(target: ProcessTarget) -> None:
    killed = _inject(target, "kill").victims[0].instance
    alive = [instance.name for instance in target.instances() if target.lifetime(instance)]
    assert alive == [name for name in ("identity-0", "identity-1") if name != killed]


def test_kill_of_all_kills_all(target: ProcessTarget) -> None:
    assert len(_inject(target, "kill", "identity/*").victims) == 2
    assert [target.lifetime(instance) for instance in target.instances()] == [None, None]


def test_a_killed_instance_nobody_restarts_is_residue_until_it_is_started(
    target: ProcessTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaosblink.faults.kill.RESTART_S", 0.3)
    effect = _inject(target, "kill")
    assert faults.of("kill", target).residue(effect.victims) == [f"{effect.victims[0].instance} is down"]
    assert len(undo.rollback(target)) == 1
    assert undo.residue(target) == []
    assert target.lifetime(target.named(effect.victims[0].instance))


def test_kill_spares_the_next_life(target: ProcessTarget) -> None:
    victim = snapshot(target, target.named("identity-0"))
    faults.of("kill", target).inject([victim])
    target.start(target.named("identity-0"))
    with pytest.raises(FaultError, match="not seen to end"):
        faults.of("kill", target).inject([victim])
    assert target.lifetime(target.named("identity-0"))


def test_pause_stops_every_process_and_revert_continues_them(target: ProcessTarget) -> None:
    effect = _inject(target, "pause")
    pids = effect.proof["victims"][0]["pids"]
    assert len(pids) == 3
    assert _states(pids) == {psutil.STATUS_STOPPED}
    assert faults.of("pause", target).residue(effect.victims)
    undo.rollback(target)
    assert psutil.STATUS_STOPPED not in _states(pids)
    assert undo.residue(target) == []


def test_stop_keeps_the_instance_down_until_it_is_reverted(target: ProcessTarget) -> None:
    effect = _inject(target, "stop")
    instance = target.named(effect.victims[0].instance)
    assert target.lifetime(instance) is None
    undo.rollback(target)
    assert target.lifetime(instance)
    assert undo.residue(target) == []


def test_isolate_where_it_cannot_be_done_fails_and_leaves_nothing(target: ProcessTarget) -> None:
    with pytest.raises(FaultError, match="cannot be partitioned"):
        _inject(target, "isolate")
    assert undo.residue(target) == []


def test_isolate_has_bitten_when_the_first_packet_is_dropped(
    target: ProcessTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = iter([0, 0, 3])
    monkeypatch.setattr(target, "isolate", lambda *_, **__: None)
    monkeypatch.setattr(target, "dropped", lambda _: next(counted))
    (proof,) = faults.of("isolate", target).inject([snapshot(target, target.named("identity-0"))]).proof["victims"]
    assert proof["dropped"] == 3
    assert proof["first_drop_after"] < proof["first_drop_before"]


def test_a_cut_nobody_runs_into_is_an_error_and_is_mended(
    target: ProcessTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[str] = []
    monkeypatch.setattr("chaosblink.faults.isolate.FIRST_DROP_S", 0.2)
    monkeypatch.setattr(target, "isolate", lambda instance, **_: cut.append(instance.name))
    monkeypatch.setattr(target, "rejoin", lambda instance: cut.remove(instance.name))
    monkeypatch.setattr(target, "dropped", lambda instance: 0 if instance.name in cut else None)
    with pytest.raises(FaultError, match="is dropped: not within"):
        _inject(target, "isolate")
    assert cut == []
    assert undo.residue(target) == []


@pytest.mark.parametrize("fault", faults.NAMES)
def test_a_fault_on_a_dead_instance_is_an_error(target: ProcessTarget, fault: str) -> None:
    target.stop(target.named("identity-0"))
    with pytest.raises(FaultError, match="already down"):
        faults.of(fault, target).inject([snapshot(target, target.named("identity-0"))])


def test_a_selector_that_names_nothing_is_an_error(target: ProcessTarget) -> None:
    for instance in target.instances():
        target.stop(instance)
    with pytest.raises(FaultError, match="names nothing now"):
        _inject(target, "kill")
    assert journal.open_faults(target) == []


def test_an_unknown_fault_is_an_error(target: ProcessTarget) -> None:
    with pytest.raises(FaultError, match="no fault is called 'drown'"):
        _inject(target, "drown")


def test_every_step_is_on_the_timeline(target: ProcessTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAOSBLINK_ROUND", str(tmp_path))
    effect = _inject(target, "pause")
    undo.rollback(target)
    events = read_events(tmp_path / "timeline.jsonl")
    assert [event.data["event"] for event in events] == ["injecting", "bitten", "reverted", "healed"]
    assert {event.data["id"] for event in events} == {effect.id}
    assert events[1].at == effect.t0


def test_an_effect_is_json(target: ProcessTarget) -> None:
    report = json.loads(json.dumps(_inject(target, "pause").report()))
    assert report["victims"] == [report["lives"][0]["instance"]]
    undo.rollback(target)
