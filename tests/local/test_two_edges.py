"""Servers find the edges by names with an address each; a cut can spare the run's own clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosblink.targets.local import names, network
from chaosblink.targets.local.environment import environment
from chaosblink.targets.local.layout import EDGE_HOST, REDIS_HOST, Layout, load_values

HERE = Layout("two", load_values(), "198.18.7", namespaces=True)
LOOPBACK = Layout("two", load_values(), "127.18.7", namespaces=False)
EDGES = ["198.18.7.10", "198.18.7.11"]


def test_there_are_two_edges() -> None:
    assert [edge.address for edge in HERE.edges] == EDGES


def test_a_name_has_every_edge_and_each_node_another_one_first() -> None:
    said = [names.hosts(HERE, node).splitlines() for node in HERE.instances("identity")]
    assert said[0] == ["127.0.0.1 localhost", *(f"{edge} {EDGE_HOST} {REDIS_HOST}" for edge in EDGES)]
    assert said[1][1:] == said[0][:0:-1]


def test_identity_runs_with_its_hosts_file_and_other_servers_with_the_machines(tmp_path: Path) -> None:
    node, vault = HERE.instances("identity")[0], HERE.instances("vault")[0]
    (tmp_path / "instances" / node.name).mkdir(parents=True)
    names.write(HERE, tmp_path, node)
    command = names.enter(HERE, tmp_path, node)
    assert Path(command[-1]).read_text() == names.hosts(HERE, node)
    assert command[:1] == ["nsenter"]
    assert "unshare" in command
    assert names.enter(HERE, tmp_path, vault) == network.enter(HERE, vault)
    assert names.enter(LOOPBACK, tmp_path, LOOPBACK.instances("identity")[0]) == []


def test_identity_is_told_names_and_on_loopback_addresses(tmp_path: Path) -> None:
    told = environment(HERE, tmp_path, HERE.instances("identity")[1])
    assert (told["DATABASE_HOST"], told["REDIS_HOST"]) == (EDGE_HOST, REDIS_HOST)
    assert told["VAULT_ADDR"] == f"https://{EDGE_HOST}:8200"
    told = environment(LOOPBACK, tmp_path, LOOPBACK.instances("identity")[1])
    assert (told["DATABASE_HOST"], told["REDIS_HOST"]) == ("127.18.7.10,127.18.7.11", "127.18.7.10")


def test_a_cut_drops_everything_or_spares_the_runs_own_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    scripts: list[str] = []
    monkeypatch.setattr(network, "_nft", lambda _, script: scripts.append(script))
    victim = HERE.instances("redis")[0]
    network.cut(HERE, victim, inbound=True, outbound=True)
    network.cut(HERE, victim, inbound=True, outbound=False, clients=False)
    whole, spared = (script.splitlines() for script in scripts)
    assert [line.split(" cut ")[1].split(" counter")[0] for line in whole] == [
        f"ip daddr {victim.address}",
        f"ip saddr {victim.address}",
    ]
    [line] = spared
    assert f"ip daddr {victim.address} ip saddr != 198.18.7.254 counter drop" in line
