"""What `chaosblink load` is told wrongly is one line and exit code 2, before any platform is looked for."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from chaosblink.cli import main


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--mix", "nonsense"], "no mix 'nonsense'; there are logins, everyday"),
        (["--find-knee", "--users", "9"], "--find-knee chooses Locust's options itself; leave out --users 9"),
        (["--workers", "2"], "--workers are pods and need a cluster: --target kind, or --context NAME"),
        (["--target", "kind", "--workers", "two"], "--workers two: numbers of pods, as in 1,2,4"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(options: list[str], line: str) -> None:
    ended = CliRunner().invoke(main, ["load", *options])
    assert (ended.exit_code, ended.output.strip()) == (2, f"chaosblink: {line}")
