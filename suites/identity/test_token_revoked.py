"""The identity's promises while no token of its pods is good for Vault any more."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestTokensRevoked:
    """Vault refuses the token of every pod for 10 s; then each is replaced and logs in with another."""

    experiment = "service-account-token-revoked"

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-while-tokens-are-revoked")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_every_pod_is_new_and_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("whole-again-after-every-pod-is-replaced")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
