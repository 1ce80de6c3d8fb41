"""What components read out of servers' answers and files, without servers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from process_target import ProcessTarget

from chaosblink import components
from chaosblink.components import edge, vault
from chaosblink.targets import Instance, PlatformError

HAPROXY = Path(__file__).parents[2] / "platform" / "chart" / "files" / "edge" / "haproxy.cfg"
RAFT = (
    'storage.raft: creating Raft: config="&raft.Config{ProtocolVersion:3, HeartbeatTimeout:1000000000, '
    'ElectionTimeout:1000000000, CommitTimeout:50000000, LeaderLeaseTimeout:500000000}"\n'
)


@pytest.fixture
def target(tmp_path: Path) -> ProcessTarget:
    """A target with the edge's real configuration and one Vault server's log; nothing runs."""
    made = ProcessTarget(tmp_path)
    made.settings = {"edge": {"env": {"EDGE_HEALTH_CHECKS": "true"}}}
    (tmp_path / "files" / "edge").mkdir(parents=True)
    shutil.copy(HAPROXY, tmp_path / "files" / "edge")
    made.instances = lambda *_: [Instance("vault-0", "vault", 0, "127.0.0.1", 1, "")]
    (tmp_path / "vault-0.log").write_text(RAFT)
    return made


def _state(**changes: object) -> dict:
    servers = {name: {"healthy": True} for name in ("vault-0", "vault-1", "vault-2")}
    return {"healthy": True, "leader": "vault-0", "voters": list(servers), "servers": servers} | changes


def test_three_healthy_voters_are_redundant() -> None:
    assert vault._voters(_state(), ["vault-0", "vault-1", "vault-2"]).ok


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"voters": ["vault-0", "vault-1"]}, "vault-2"),
        ({"servers": {"vault-1": {"healthy": False}}}, "vault-1"),
        ({"healthy": False}, "unhealthy"),
        ({"voters": None, "servers": None}, "vault-0"),
    ],
)
def test_less_is_not_redundant(changes: dict, why: str) -> None:
    answer = vault._voters(_state(**changes), ["vault-0", "vault-1", "vault-2"])
    assert not answer.ok
    assert why in answer.why


def test_the_vault_bound_is_two_election_cycles_and_the_way_to_the_client(target: ProcessTarget) -> None:
    bound = vault.bound(target)
    assert bound.ms == 2 * 1000 + 2 * 2 * 1000 + vault.TAKEOVER_MS + edge.follow_ms(target)
    assert bound.ms <= 8000


def test_the_longer_timeouts_of_a_start_do_not_count(target: ProcessTarget) -> None:
    settled = vault.bound(target)
    longer = RAFT.replace("HeartbeatTimeout:1000", "HeartbeatTimeout:3000").replace("nTimeout:1000", "nTimeout:3000")
    (target.state / "vault-0.log").write_text(RAFT + longer)
    assert vault.bound(target) == settled


def test_a_vault_that_did_not_log_its_raft_has_no_bound(target: ProcessTarget) -> None:
    (target.state / "vault-0.log").write_text("nothing of interest")
    with pytest.raises(PlatformError, match="bound is unknown"):
        vault.bound(target)


def test_the_edges_checks_are_read_from_its_configuration(target: ProcessTarget) -> None:
    assert 0 < edge.follow_ms(target) < edge.NEVER_MS
    assert 0 < edge.leave_ms(target) < edge.NEVER_MS


def test_an_edge_without_checks_never_follows(target: ProcessTarget) -> None:
    target.settings["edge"]["env"]["EDGE_HEALTH_CHECKS"] = "false"
    assert components.of(target, "identity").bound().ms == edge.NEVER_MS


def test_an_edge_configuration_without_intervals_is_an_error(target: ProcessTarget) -> None:
    (target.state / "files" / "edge" / "haproxy.cfg").write_text("defaults\n  default-server inter 500ms\n")
    with pytest.raises(PlatformError, match="does not set"):
        edge.follow_ms(target)


@pytest.mark.parametrize("name", ["pgpool", "sentinel", "edge"])
def test_what_is_not_promised_alone_has_no_formula(target: ProcessTarget, name: str) -> None:
    with pytest.raises(PlatformError, match="no formula"):
        components.of(target, name).bound()


def test_an_unknown_component_is_an_error(target: ProcessTarget) -> None:
    with pytest.raises(PlatformError, match="no component is called 'mail'"):
        components.of(target, "mail")
