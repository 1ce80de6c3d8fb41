"""The edge's promises while every one of its pods is replaced."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestRestartedPodByPod:
    """Every pod goes, one after the other, each ready before the next."""

    experiment = "edge-rolling-restart"

    def test_writes_and_logins_are_never_away_for_longer_than_promised(self, recording: Recording) -> None:
        recording.keeps("clients-follow-while-pods-are-replaced")

    def test_no_store_loses_anything(self, recording: Recording) -> None:
        recording.keeps("no-store-loses-anything")

    def test_every_pod_is_new_and_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("whole-again-after-every-pod-is-replaced")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
