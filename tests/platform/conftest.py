"""One real platform for all tests of this folder; it is removed at the end whatever they did to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHAOSBLINK = str(Path(sys.executable).parent / "chaosblink")
Cli = Callable[..., subprocess.CompletedProcess[str]]


def chaosblink(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line and return what it printed."""
    return subprocess.run([CHAOSBLINK, *arguments], capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="session")
def cli() -> Cli:
    """The command line as a function."""
    return chaosblink


@pytest.fixture(scope="session")
def platform(cli: Cli) -> Iterator[str]:
    """Name of a platform that is up; needs Debian's packages and, for namespaces, root."""
    name = f"tests-{os.getpid()}"
    came_up = cli("up", "--name", name)
    assert came_up.returncode == 0, came_up.stdout + came_up.stderr
    try:
        yield name
    finally:
        cli("down", "--name", name)
