"""Vault's promises when a standby is killed."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestStandbyKilled:
    """A standby dies; leader and other standby are a majority."""

    experiment = "vault-standby-kill"

    def test_no_write_fails(self, recording: Recording) -> None:
        recording.keeps("no-write-notices-a-standby")

    def test_nothing_acknowledged_is_lost(self, recording: Recording) -> None:
        recording.keeps("nothing-acknowledged-is-lost")

    def test_nothing_is_acknowledged_by_two_leaders(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_no_leader_changes(self, recording: Recording) -> None:
        recording.keeps("no-leader-changes")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-vault")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("redundant-after-the-fault")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
