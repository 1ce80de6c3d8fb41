"""The edge's promises when an instance is killed."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestEdgeKilled:
    """One of two edges dies; clients take the other."""

    experiment = "edge-kill"

    def test_no_write_fails_but_those_in_flight(self, recording: Recording) -> None:
        recording.keeps("writes-survive-an-edge")

    def test_logins_recover_within_the_promise(self, recording: Recording) -> None:
        recording.keeps("logins-survive-an-edge")

    def test_no_store_loses_anything(self, recording: Recording) -> None:
        recording.keeps("no-store-loses-anything")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("edge-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
