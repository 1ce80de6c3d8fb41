"""The identity's promises when one of its pods is deleted."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestPodDeleted:
    """One pod finishes what it has begun and ends; another reads its secrets from Vault and serves."""

    experiment = "identity-pod-delete"

    def test_no_login_fails_but_those_in_flight(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-but-those-in-flight")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("identity-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")


class TestPodDeletedByForce(TestPodDeleted):
    """One pod is gone at once; another reads its secrets from Vault and serves."""

    experiment = "identity-pod-force"
