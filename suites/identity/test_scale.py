"""The identity's promises while it is scaled out and in again."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestScaledOutAndIn:
    """One node more for 15 s, then as many as before."""

    experiment = "identity-scale"

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-while-identity-is-scaled")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("redundant-after-the-fault")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
