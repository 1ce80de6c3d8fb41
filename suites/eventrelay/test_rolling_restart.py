"""The event relay's promises while every one of its pods is replaced."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestRestartedPodByPod:
    """Every pod goes, one after the other, each ready before the next."""

    experiment = "eventrelay-rolling-restart"

    def test_every_event_arrives_in_time(self, recording: Recording) -> None:
        recording.keeps("events-arrive-in-time")

    def test_every_event_is_delivered(self, recording: Recording) -> None:
        recording.keeps("every-event-is-delivered")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-events")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_no_event_has_its_effect_twice(self, recording: Recording) -> None:
        recording.keeps("events-have-their-effect-once")

    def test_events_keep_their_order(self, recording: Recording) -> None:
        recording.keeps("events-keep-their-order")

    def test_every_pod_is_new_and_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("whole-again-after-every-pod-is-replaced")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
