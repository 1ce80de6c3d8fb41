"""Redis' promises when all its servers are killed at once."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestAllKilled:
    """All six servers die at once and come back from their append-only files."""

    experiment = "redis-all-kill"

    def test_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("redis-survives-a-power-cut")

    def test_what_is_lost_is_the_last_second_at_most(self, recording: Recording) -> None:
        recording.keeps("power-cut-loss-is-bounded")

    def test_nothing_is_acknowledged_by_two_leaders(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_one_fault_causes_one_failover(self, recording: Recording) -> None:
        recording.keeps("one-failover")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-cache")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("other-stores-keep-writing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("redis-redundant-after-a-power-cut")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
