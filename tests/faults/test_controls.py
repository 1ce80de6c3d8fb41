"""The control, under the real toolkit: no experiment on a platform that is not ready, and nothing is left after any."""

from __future__ import annotations

from typing import Any

import pytest
from chaoslib.experiment import run_experiment
from process_target import ProcessTarget

from chaosblink import actions, controls
from chaosblink.faults import undo
from chaosblink.targets import PlatformError

CONTROL = {"name": "control", "provider": {"type": "python", "module": "chaosblink.controls"}}


def _provider(module: str, func: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "python", "module": module, "func": func, "arguments": arguments}


def _experiment(steady: str = "is_steady", victim: str = "identity/any") -> dict[str, Any]:
    probe = {"type": "probe", "name": "steady", "tolerance": True, "provider": _provider("process_target", steady)}
    return {
        "title": "an identity node is paused",
        "description": "only for this test",
        "controls": [CONTROL],
        "steady-state-hypothesis": {"title": "all is well", "probes": [probe]},
        "method": [
            {"type": "action", "name": "pause", "provider": _provider("chaosblink.actions", "pause", victim=victim)}
        ],
        "rollbacks": [{"type": "action", "name": "undo", "provider": _provider("chaosblink.actions", "revert")}],
    }


@pytest.fixture
def opened(target: ProcessTarget, monkeypatch: pytest.MonkeyPatch) -> ProcessTarget:
    """The target, as the platform that actions and controls find."""
    for module in (actions, controls):
        monkeypatch.setattr(module, "open_target", lambda: target)
    return target


def _run(experiment: dict[str, Any]) -> dict[str, Any]:
    return run_experiment(experiment, settings={"runtime": {"rollbacks": {"strategy": "always"}}})


def test_an_experiment_runs_and_leaves_nothing(opened: ProcessTarget) -> None:
    journal = _run(_experiment())
    assert journal["status"] == "completed"
    assert not journal["deviated"]
    assert journal["run"][0]["output"]["fault"] == "pause"
    assert undo.residue(opened) == []


@pytest.mark.usefixtures("opened")
def test_a_platform_that_is_not_steady_is_not_touched_and_the_run_is_no_success() -> None:
    journal = _run(_experiment(steady="is_not_steady") | {"rollbacks": []})
    assert journal["run"] == []
    assert journal["status"] == "interrupted"


def test_an_experiment_that_was_told_to_end_injects_nothing_more(opened: ProcessTarget) -> None:
    journal = _run(_experiment(steady="is_steady_and_swallows_sigterm"))
    assert journal["status"] == "interrupted"
    assert journal["run"] == []
    assert journal["rollbacks"][0]["status"] == "succeeded"
    assert undo.residue(opened) == []


@pytest.mark.usefixtures("opened")
def test_a_fault_on_nothing_fails_its_action() -> None:
    journal = _run(_experiment(victim="vault/leader"))
    assert journal["run"][0]["status"] == "failed"
    assert "names nothing now" in journal["run"][0]["exception"][-1]


def test_what_rollbacks_do_not_undo_the_control_does(opened: ProcessTarget) -> None:
    _run(_experiment() | {"rollbacks": []})
    assert undo.residue(opened) == []


def test_no_experiment_without_a_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed() -> None:
        raise PlatformError("no platform here")

    monkeypatch.setattr(controls, "open_target", closed)
    journal = _run(_experiment())
    assert journal["status"] == "interrupted"
    assert journal["run"] == []
