"""Very many events through a run of kills: `pytest suites/eventrelay --soak 100000 -k Soak`, about three minutes."""

from __future__ import annotations

from typing import Any

import pytest

from chaosblink.checkers import events_delivered, events_in_order, events_once
from chaosblink.experiments.soak import Soaked, soak
from chaosblink.targets import open_target


@pytest.fixture(scope="class")
def soaked(request: pytest.FixtureRequest) -> Soaked:
    """The events, sent once for the whole class."""
    option = request.config.getoption
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")

    def progress(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n  {text}", end="", flush=True)

    return soak(open_target(option("--platform")), option("--soak"), option("--seed") or 1, progress)


@pytest.mark.soak
class TestSoak:
    """Relays, consumers, Redis masters, the PostgreSQL primary and a PgPool die while events are written."""

    def test_all_of_them_are_in_the_store(self, soaked: Soaked, request: pytest.FixtureRequest) -> None:
        asked = request.config.getoption("--soak")
        held = {id for read in soaked.recorded.event_reads if read.source == "store" for id in read.ids}
        assert soaked.written == asked
        assert sum(identity.startswith("soak/soak/") for identity in held) == asked

    def test_every_event_is_delivered(self, soaked: Soaked) -> None:
        finding = events_delivered.check(soaked.recorded, 0)
        assert finding.verdict == "pass", finding.why

    def test_no_event_has_its_effect_twice(self, soaked: Soaked) -> None:
        finding = events_once.check(soaked.recorded, 0)
        assert finding.verdict == "pass", finding.why

    def test_events_keep_their_order(self, soaked: Soaked) -> None:
        finding = events_in_order.check(soaked.recorded, 0)
        assert finding.verdict == "pass", finding.why

    def test_duplicates_came_and_were_removed(self, soaked: Soaked) -> None:
        removed = sum(read.removed for read in soaked.recorded.event_reads)
        assert removed > 0, "a failover of PostgreSQL sets the cursor back: without a duplicate nothing was removed"
