"""The platform's promises when a whole node is lost and comes back."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestNodeKilled:
    """The node under the PostgreSQL primary is gone for 40 s with all that runs there."""

    experiment = "node-kill"

    def test_postgresql_accepts_writes_again(self, recording: Recording) -> None:
        recording.keeps("node-lost-postgresql-writes")

    def test_vault_accepts_writes_again(self, recording: Recording) -> None:
        recording.keeps("node-lost-vault-writes")

    def test_logins_succeed_again(self, recording: Recording) -> None:
        recording.keeps("node-lost-logins")

    def test_redis_can_be_read_again(self, recording: Recording) -> None:
        recording.keeps("node-lost-redis-reads")

    def test_redis_accepts_writes_once_the_node_is_back(self, recording: Recording) -> None:
        recording.keeps("node-back-redis-writes")

    def test_postgresql_loses_nothing(self, recording: Recording) -> None:
        recording.keeps("node-lost-postgresql-loses-nothing")

    def test_vault_loses_nothing(self, recording: Recording) -> None:
        recording.keeps("node-lost-vault-loses-nothing")

    def test_what_redis_loses_is_bounded(self, recording: Recording) -> None:
        recording.keeps("node-lost-redis-loss-is-bounded")

    def test_nothing_is_acknowledged_by_two_primaries(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_the_primary_is_replaced_once(self, recording: Recording) -> None:
        recording.keeps("one-failover-while-held")

    def test_postgresql_is_redundant_again(self, recording: Recording) -> None:
        recording.keeps("node-back-postgresql-redundant")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
