"""Vault's promises when its new leader is killed as well."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestKilledAgain:
    """The new leader dies while the old one still recovers."""

    experiment = "vault-kill-again"

    def test_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("vault-writes-back-after-two")

    def test_nothing_acknowledged_is_lost(self, recording: Recording) -> None:
        recording.keeps("nothing-acknowledged-is-lost")

    def test_nothing_is_acknowledged_by_two_leaders_in_turn(self, recording: Recording) -> None:
        recording.keeps("one-leader-at-a-time-after-two")

    def test_two_faults_cause_two_failovers_at_most(self, recording: Recording) -> None:
        recording.keeps("two-faults-two-failovers")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-vault")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("vault-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
