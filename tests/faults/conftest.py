"""What the tests of the faults share: a target of real process trees, ended after each test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chaosblink.faults import reverter
from chaosblink.targets import Instance


def _neighbour() -> ModuleType:
    # test modules are imported by path (importlib mode), so that none of them can import a neighbour by name
    path = Path(__file__).with_name("process_target.py")
    spec = importlib.util.spec_from_file_location("process_target", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["process_target"] = module
    spec.loader.exec_module(module)
    return module


process_target = _neighbour()


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[process_target.ProcessTarget]:  # type: ignore[name-defined]
    made = process_target.ProcessTarget(tmp_path)
    monkeypatch.setattr(reverter, "PROGRAM", process_target.reverter_of(made))
    for ordinal in range(2):
        made.add(Instance(f"identity-{ordinal}", "identity", ordinal, "127.0.0.1", 0, ""))
    yield made
    made.end()
