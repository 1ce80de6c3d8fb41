"""Options and fixtures of every suite: a platform that is up, and the recording of a suite's experiment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosblink.conformance import lock
from chaosblink.experiments import plan
from chaosblink.experiments.session import Options, Recording, Session
from chaosblink.targets import DEFAULT_NAME, PlatformError, Target, open_target

BAD_INPUT = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a chaos run; `chaosblink run` passes the same ones."""
    group = parser.getgroup("chaosblink")
    group.addoption("--platform", default=DEFAULT_NAME, help="name of the platform that is up")
    group.addoption("--experiment", action="append", default=[], help="run only this experiment (repeatable)")
    group.addoption("--all", action="store_true", dest="everything", help="run every experiment, not the default ones")
    group.addoption("--rounds", type=int, default=3, help="rounds of each experiment (default 3)")
    group.addoption("--round", type=int, default=None, help="repeat only this round of the plan")
    group.addoption(
        "--seed", type=int, default=None, help="decides everything random; drawn and printed when not given"
    )
    group.addoption("--weakened", action="store_true", help="inject although the steady state does not hold")
    group.addoption("--soak", type=int, default=0, help="send this many events through a run of kills (not by default)")
    group.addoption("--run-dir", type=Path, default=None, help="folder of the run (default: a new one in reports/runs)")


def pytest_configure(config: pytest.Config) -> None:
    """Markers of the conformance suites, and of tests that take minutes and are asked for by an option of their own."""
    config.addinivalue_line("markers", "soak: sends many events through a run of kills; needs --soak EVENTS")
    config.addinivalue_line("markers", "disturbs: takes an instance away for a moment, so no other test runs beside it")
    config.addinivalue_line("markers", "measures_time: takes a busy machine's delays for its own, so it runs alone")
    config.addinivalue_line("markers", "only_on(kind, why): what is tested exists on this kind of target alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the suites of the chosen experiments: those named, else all, else the default ones.

    Tests marked `soak` run only when a number of events was given.
    """
    chosen = config.getoption("--experiment")
    if not chosen:
        chosen = plan.known() if config.getoption("everything") else plan.defaults()
    soak = config.getoption("--soak")
    away = [
        item
        for item in items
        if _experiment(item) not in (None, *chosen) or (item.get_closest_marker("soak") and not soak)
    ]
    config.hook.pytest_deselected(items=away)
    items[:] = [item for item in items if item not in away]


def _experiment(item: pytest.Item) -> str | None:
    return getattr(getattr(item, "cls", None), "experiment", None)


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The run: holds the platform's lock, its plan and its folder. Exit code 2 when the platform cannot be used."""
    option = request.config.getoption
    options = Options(
        tuple(option("--experiment")),
        option("--rounds"),
        option("--round"),
        option("--seed"),
        option("--run-dir"),
        option("--weakened"),
        option("everything"),
    )
    try:
        with Session(open_target(option("--platform")), options, _progress(request.config)) as opened:
            yield opened
    except PlatformError as error:
        pytest.exit(f"chaosblink: {error}", returncode=BAD_INPUT)


@pytest.fixture(scope="session")
def shared_platform(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The platform that is up, held together with other conformance tests and never beside a chaos run."""
    try:
        target = open_target(request.config.getoption("--platform"))
        with lock.shared(target):
            yield target
    except PlatformError as error:
        pytest.exit(f"chaosblink: {error}", returncode=BAD_INPUT)


@pytest.fixture
def target(request: pytest.FixtureRequest, shared_platform: Target) -> Iterator[Target]:
    """The platform for one conformance test, which has it alone if it is marked `disturbs`."""
    for marker in request.node.iter_markers("only_on"):
        kind, why = marker.args
        if shared_platform.kind != kind:
            pytest.skip(f"needs a {kind} platform, this one is {shared_platform.kind}: {why}")
    with lock.turn(shared_platform, alone=request.node.get_closest_marker("disturbs") is not None):
        yield shared_platform


@pytest.fixture(scope="class")
def recording(request: pytest.FixtureRequest, session: Session) -> Recording:
    """The class's experiment, run once a round under load, and its verdicts."""
    return session.recording(request.cls.experiment)


def _progress(config: pytest.Config) -> Any:
    """Print past pytest's capture: a round takes half a minute and a silent half minute looks like a hang."""
    capture = config.pluginmanager.getplugin("capturemanager")
    terminal = config.pluginmanager.getplugin("terminalreporter")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(f"  {text}")

    return line
