"""Vault's promises while every one of its pods is replaced."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestRestartedPodByPod:
    """Every pod goes, one after the other, each ready before the next."""

    experiment = "vault-rolling-restart"

    def test_writes_are_never_away_for_longer_than_promised(self, recording: Recording) -> None:
        recording.keeps("vault-is-upgraded-in-service")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-vault")

    def test_nothing_acknowledged_is_lost(self, recording: Recording) -> None:
        recording.keeps("nothing-acknowledged-is-lost")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_nothing_is_acknowledged_by_two_leaders_in_turn(self, recording: Recording) -> None:
        recording.keeps("one-leader-at-a-time-after-two")

    def test_leaders_change_no_oftener_than_pods(self, recording: Recording) -> None:
        recording.keeps("leaders-change-no-oftener-than-pods")

    def test_every_pod_is_new_and_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("whole-again-after-every-pod-is-replaced")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
