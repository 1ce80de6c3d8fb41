"""The platform's promises when the control plane is lost."""

from __future__ import annotations

from chaosblink.experiments.session import Recording


class TestControlPlaneKilled:
    """The node with the API is gone for 40 s, and nothing can be asked or moved."""

    experiment = "control-plane-kill"

    def test_no_login_fails(self, recording: Recording) -> None:
        recording.keeps("no-login-fails-without-control-plane")

    def test_vault_accepts_writes_again(self, recording: Recording) -> None:
        recording.keeps("node-lost-vault-writes")

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

    def test_the_fault_bit(self, recording: Recording) -> None:
        recording.keeps("fault-bites")

    def test_nothing_of_the_fault_is_left(self, recording: Recording) -> None:
        recording.keeps("fault-is-gone")

    def test_the_recording_counts(self, recording: Recording) -> None:
        recording.keeps("recording-counts")
