"""The event relay's promises when the active relay is killed."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestActiveRelayKilled:
    """The relay that sends dies; the standby goes on behind the same cursor."""

    experiment = "eventrelay-active-kill"

    def test_every_event_arrives_in_time(self, recording: Recording) -> None:
        recording.keeps("events-arrive-in-time")

    def test_the_configuration_allows_no_later_event_than_promised(self, recording: Recording) -> None:
        recording.keeps("eventrelay-configured-bound")

    def test_no_event_is_later_than_the_configuration_allows(self, recording: Recording) -> None:
        recording.keeps("events-below-configured-bound")

    def test_every_event_is_delivered(self, recording: Recording) -> None:
        recording.keeps("every-event-is-delivered")

    def test_no_event_has_its_effect_twice(self, recording: Recording) -> None:
        recording.keeps("events-have-their-effect-once")

    def test_events_keep_their_order(self, recording: Recording) -> None:
        recording.keeps("events-keep-their-order")

    def test_one_fault_causes_one_takeover(self, recording: Recording) -> None:
        recording.keeps("one-failover")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-events")

    def test_writes_on_the_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_the_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("eventrelay-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
