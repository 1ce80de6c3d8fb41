"""The identity's promises when one of its pods is deleted while nobody can inject another."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestPodDeletedWithoutInjector:
    """No pod is made while the injector is away; the other node serves alone."""

    experiment = "injector-webhook-down"

    def test_no_login_fails_but_those_in_flight(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-but-those-in-flight")

    def test_no_pod_is_made_without_its_secrets(self, recording: Recording) -> None:
        recording.keeps("no-pod-is-made-without-its-secrets")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("identity-redundant-after-the-injector")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
