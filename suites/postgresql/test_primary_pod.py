"""PostgreSQL's promises when the pod of its primary is deleted."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestPrimaryPodDeleted:
    """The primary shuts down in order; a standby is promoted, and a new pod on the old data follows it."""

    experiment = "postgresql-primary-pod-delete"

    def test_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("postgresql-writes-back-after-its-pod")

    def test_logins_recover_within_the_promise(self, recording: Recording) -> None:
        recording.keeps("logins-recover-after-a-postgresql-pod")

    def test_nothing_acknowledged_is_lost(self, recording: Recording) -> None:
        recording.keeps("nothing-acknowledged-is-lost")

    def test_other_stores_lose_nothing(self, recording: Recording) -> None:
        recording.keeps("bystanders-lose-nothing")

    def test_nothing_is_acknowledged_by_two_leaders(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_one_fault_causes_one_failover(self, recording: Recording) -> None:
        recording.keeps("one-failover")

    def test_writes_on_other_stores_go_on(self, recording: Recording) -> None:
        recording.keeps("bystanders-keep-writing")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("postgresql-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")


class TestPrimaryPodDeletedByForce(TestPrimaryPodDeleted):
    """The API forgets the primary's pod at once, and a new one may start before the old one has ended."""

    experiment = "postgresql-primary-pod-force"
