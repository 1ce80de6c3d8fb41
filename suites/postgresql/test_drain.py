"""What holds while a node of PostgreSQL is drained, with everything else that runs there."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestNodeOfThePrimaryDrained:
    """The primary's node is emptied for 20 s; pods with a volume there wait for it."""

    experiment = "postgresql-primary-drain"

    def test_postgresql_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("postgresql-writes-back-after-its-pod")

    def test_vault_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("vault-writes-back-after-its-pod")

    def test_logins_recover_within_the_promise(self, recording: Recording) -> None:
        recording.keeps("logins-recover-after-a-postgresql-pod")

    def test_nothing_is_acknowledged_by_two_leaders(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_one_fault_causes_one_failover(self, recording: Recording) -> None:
        recording.keeps("one-failover")

    def test_no_store_loses_anything(self, recording: Recording) -> None:
        recording.keeps("no-store-loses-anything")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("redundant-after-the-fault")

    def test_every_redis_set_takes_writes_when_the_node_is_back(self, recording: Recording) -> None:
        recording.keeps("redis-writes-back-after-a-drain")

    def test_redis_reads_go_on(self, recording: Recording) -> None:
        recording.keeps("redis-reads-go-on-in-a-drain")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")


class TestNodeWithoutPrimaryPgpoolAndEdgeDrained:
    """A node that nobody's logins pass is emptied for 20 s."""

    experiment = "postgresql-standby-drain"

    def test_postgresql_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("postgresql-survives-a-standby")

    def test_vault_writes_are_back_within_the_bound(self, recording: Recording) -> None:
        recording.keeps("vault-writes-back-after-its-pod")

    def test_no_login_fails_but_those_in_flight(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-but-those-in-flight")

    def test_nothing_is_acknowledged_by_two_leaders(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_no_leader_changes(self, recording: Recording) -> None:
        recording.keeps("no-leader-changes")

    def test_no_store_loses_anything(self, recording: Recording) -> None:
        recording.keeps("no-store-loses-anything")

    def test_full_redundancy_returns(self, recording: Recording) -> None:
        recording.keeps("redundant-after-the-fault")

    def test_every_redis_set_takes_writes_when_the_node_is_back(self, recording: Recording) -> None:
        recording.keeps("redis-writes-back-after-a-drain")

    def test_redis_reads_go_on(self, recording: Recording) -> None:
        recording.keeps("redis-reads-go-on-in-a-drain")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
