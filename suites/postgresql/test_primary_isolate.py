"""PostgreSQL's promises when its primary is cut off."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestPrimaryCutOff:
    """The primary is cut off for 25 s; it stops itself, a standby is promoted, and it rejoins."""

    experiment = "postgresql-primary-isolate"

    def test_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("postgresql-writes-back-without-answer")

    def test_nothing_acknowledged_is_lost(self, recording: Recording) -> None:
        recording.keeps("nothing-acknowledged-is-lost")

    def test_nothing_is_acknowledged_by_two_leaders(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_it_is_replaced_once(self, recording: Recording) -> None:
        recording.keeps("one-failover-while-held")

    def test_the_old_leader_steps_down(self, recording: Recording) -> None:
        recording.keeps("old-leader-steps-down")

    def test_logins_recover_within_the_promise(self, recording: Recording) -> None:
        recording.keeps("logins-recover-without-answer")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("redundant-after-the-fault")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
