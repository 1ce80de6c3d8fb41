"""Sentinel's promises when an instance is killed."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestSentinelKilled:
    """One of three Sentinels dies; nobody notices."""

    experiment = "sentinel-kill"

    def test_no_write_fails(self, recording: Recording) -> None:
        recording.keeps("no-write-notices-a-sentinel")

    def test_reads_go_on(self, recording: Recording) -> None:
        recording.keeps("redis-reads-go-on")

    def test_nothing_acknowledged_is_lost(self, recording: Recording) -> None:
        recording.keeps("nothing-acknowledged-is-lost")

    def test_no_leader_changes(self, recording: Recording) -> None:
        recording.keeps("no-leader-changes")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-cache")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("sentinel-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
