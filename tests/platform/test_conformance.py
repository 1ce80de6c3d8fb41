"""The conformance suites on a real platform: whole and green when it is healthy, red for what is broken."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from chaosblink.waiting import until
from tests.platform.conftest import Cli


def verdicts(stdout: str) -> dict[str, str]:
    """Word of every verdict of the run whose report the command named."""
    page = next(line.removeprefix("report: ") for line in stdout.splitlines() if line.startswith("report: "))
    return {one["promise"]: one["verdict"] for one in json.loads((Path(page).parent / "verdicts.json").read_text())}


def test_a_healthy_platform_conforms(cli: Cli, platform: str) -> None:
    done = cli("conformance", "--name", platform)
    found = verdicts(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    words = Counter(found.values())
    assert set(words) <= {"pass", "not run"}, words
    assert words["pass"] > 150, words


@pytest.mark.parametrize(
    ("instance", "suite", "broken"),
    [
        ("sentinel-2", "sentinel", "sentinel/sentinels-know-each-other"),
        ("pgpool-1", "pgpool", "pgpool/every-pgpool-has-every-server-up"),
        ("identity-1", "edge", "edge/health-checks-let-traffic-to[identity-all]"),
    ],
)
def test_an_instance_that_is_down_is_seen(cli: Cli, platform: str, instance: str, suite: str, broken: str) -> None:
    cli("stop", "--name", platform, instance)
    try:
        done = cli("conformance", "--name", platform, "--suite", suite)
        assert done.returncode == 1, done.stdout[-2000:]
        assert verdicts(done.stdout)[broken] == "fail"
    finally:
        cli("start", "--name", platform, instance)
        until(lambda: cli("status", "--name", platform).returncode == 0, 90, "the platform is whole again", every=1.0)


def test_an_unknown_suite_is_one_line(cli: Cli, platform: str) -> None:
    done = cli("conformance", "--name", platform, "--suite", "nosuch")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "there are bounds, edge" in done.stderr
