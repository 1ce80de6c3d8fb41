"""Redis' promises when the pod of a set's master is deleted."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestMasterPodDeleted:
    """The Sentinels promote the replica and find the new pod at another address."""

    experiment = "redis-master-pod-delete"

    def test_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("redis-writes-back-after-its-pod")

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-cache")

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
        recording.keeps("redis-redundant-again")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")


class TestMasterPodDeletedByForce(TestMasterPodDeleted):
    """The API forgets the master's pod at once, and a new one may start before the old one has ended."""

    experiment = "redis-master-pod-force"
