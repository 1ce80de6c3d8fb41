"""The platform's promises when a whole node is away for a while and does not know it: frozen, or cut off."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestNodePaused:
    """The node under the PostgreSQL primary stops for 40 s, and does not know it."""

    experiment = "node-pause"

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
        recording.keeps("node-away-redis-loss-is-bounded")

    def test_nothing_is_acknowledged_by_two_primaries(self, recording: Recording) -> None:
        recording.keeps("one-leader-acknowledges")

    def test_the_primary_is_replaced_once(self, recording: Recording) -> None:
        recording.keeps("one-failover-while-held")

    def test_the_old_primary_steps_down(self, recording: Recording) -> None:
        recording.keeps("old-leader-steps-down")

    def test_postgresql_is_redundant_again(self, recording: Recording) -> None:
        recording.keeps("node-back-postgresql-redundant")

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")


class TestNodeIsolated(TestNodePaused):
    """The node under the PostgreSQL primary goes on alone for 40 s."""

    experiment = "node-isolate"
