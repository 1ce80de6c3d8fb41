"""The identity's promises when one of its nodes is killed."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestNodeKilled:
    """One of two nodes dies; the edge sends everybody to the other."""

    experiment = "identity-node-kill"

    def test_no_login_fails_but_those_in_flight(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-but-those-in-flight")

    def test_writes_on_the_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_the_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_both_nodes_are_ready_again(self, recording: Recording) -> None:
        recording.keeps("identity-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
