"""The conformance suites on a real platform: whole and green when it is healthy, red for what is broken."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform.conftest import Cli

BROKEN = {
    "sentinel-2": ("sentinel", "sentinels-know-each-other"),
    "pgpool-1": ("pgpool", "every-pgpool-has-every-server-up"),
    "identity-1": ("edge", "health-checks-let-traffic-to[identity-all]"),
}
"""An instance that is stopped, and the suite and promise that must object."""


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


@pytest.fixture(scope="module")
def of_a_broken_platform(cli: Cli, platform: str) -> Iterator[dict[str, str]]:
    """Verdicts of the suites of three instances that were down at once; the platform is whole again at the end."""
    try:
        for instance in BROKEN:
            cli("stop", "--name", platform, instance)
        suites = [option for suite, _ in BROKEN.values() for option in ("--suite", suite)]
        done = cli("conformance", "--name", platform, *suites)
        assert done.returncode == 1, done.stdout[-2000:]
        yield verdicts(done.stdout)
    finally:
        for instance in BROKEN:
            cli("start", "--name", platform, instance)
        whole = cli("status", "--name", platform, "--within", "90")
        assert whole.returncode == 0, whole.stdout


@pytest.mark.parametrize("instance", BROKEN)
def test_an_instance_that_is_down_is_seen(of_a_broken_platform: dict[str, str], instance: str) -> None:
    suite, promise = BROKEN[instance]
    assert of_a_broken_platform[f"{suite}/{promise}"] == "fail"


def test_an_unknown_suite_is_one_line(cli: Cli, platform: str) -> None:
    done = cli("conformance", "--name", platform, "--suite", "nosuch")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "there are bounds, edge" in done.stderr
