"""The doctor names what is missing and what that makes impossible."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaosblink import doctor
from chaosblink.doctor import KIND, LOCAL, PARTITIONS, Check


def test_what_is_missing_stands_in_the_way_of_what_needs_it() -> None:
    checks = [
        Check("redis-server", False, "not installed", (LOCAL,)),
        Check("root", False, "uid 1000", (PARTITIONS,)),
        Check("a quiet machine", False, "load 9", ()),
        Check("Go", True, "go1.24", (KIND,)),
    ]
    assert doctor.possible(checks) == {LOCAL: ["redis-server"], PARTITIONS: ["root"], KIND: []}
    assert doctor.as_data(checks)["can"] == {LOCAL: False, PARTITIONS: False, KIND: True}
    page = doctor.render(checks)
    assert "cannot run here: redis-server" in page
    assert "note" in page


def test_every_check_that_fails_says_what_was_found_and_every_purpose_is_known() -> None:
    for check in doctor.examine():
        assert check.ok or check.found or check.remedy, check.name
        assert set(check.needed_for) <= set(doctor.PURPOSES), check.name


def test_a_missing_program_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_which", lambda _program: "")
    monkeypatch.setattr(doctor, "pg_bin", lambda: "")
    lacking = doctor.possible(doctor.examine())[LOCAL]
    assert {"redis-server", "haproxy", "pgpool", "PostgreSQL with repmgr"} <= set(lacking)


def test_too_little_memory_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MEMORY_GIB", {LOCAL: 10_000.0})
    assert doctor.possible(doctor.examine())[LOCAL] != []


def test_the_command_prints_json_and_its_exit_code_is_the_answer(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "chaosblink"), "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert done.returncode == (0 if json.loads(done.stdout)["can"][LOCAL] else 1), done.stderr
    without = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/nonexistent", "LANG": "C.UTF-8"},
        timeout=60,
    )
    assert json.loads(without.stdout)["checks"], without.stderr
