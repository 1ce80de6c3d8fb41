"""What ruff, mypy and shellcheck object to. Tests, so that they run beside the others and take no time of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TYPED = [
    *("chaosblink", "conftest.py", "suites", "loadtests", "tests"),
    *("platform/identity/zitadel_standin", "platform/identity/tests"),
    *("platform/eventrelay/eventrelay", "platform/eventrelay/tests"),
]


def shell_scripts() -> list[str]:
    """Files in the folders with scripts whose first line names a shell."""
    files = [path for folder in (".ci", "scripts", "platform") for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [str(path.relative_to(ROOT)) for path in sorted(files) if is_shell(path)]


def is_shell(path: Path) -> bool:
    """Whether the first line names sh or bash."""
    with path.open("rb") as file:
        first = file.readline()
    return first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] in (b"sh", b"bash")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["mypy", *TYPED], id="types"),
        pytest.param(["ruff", "check", "."], id="rules"),
        pytest.param(["ruff", "format", "--check", "."], id="format"),
        pytest.param(["shellcheck", "-x", *shell_scripts()], id="shell scripts"),
    ],
)
def test_nothing_to_object_to(command: list[str]) -> None:
    program = Path(sys.executable).with_name(command[0])
    assert program.exists(), f"{command[0]} is missing: pip install -e .[lint]"
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
