"""Where the owner's alerts and metrics contradict what servers and exporters emit: docs/findings.md 5, 6, 7 and 19."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chaosblink.components import https
from chaosblink.components.vault import HOST, Vault
from chaosblink.conformance.exposition import fires, names, samples
from chaosblink.conformance.scratch import Process, ScratchVault, address, vaults
from chaosblink.targets import Instance, Target
from chaosblink.targets.local.secret_files import write_private
from chaosblink.waiting import until

pytestmark = pytest.mark.xdist_group("scratch-vault")

DOCUMENTS = {
    "vault": {
        "vault_core_unsealed",
        "vault_core_ha_mode",
        "vault_raft_storage_is_leader",
        "vault_audit_log_request_count",
        "vault_token_create_count",
    },
    "postgresql": {
        "postgresql_up",
        "postgresql_connections_active",
        "postgresql_connections_idle",
        "postgresql_queries_total",
        "postgresql_replication_lag_seconds",
        "postgresql_replication_status",
    },
    "redis": {"redis_used_memory_bytes", "redis_sentinel_masters", "redis_sentinel_slaves"},
}
"""The document's names as far as they are in question; `redis_up` and some others are the exporter's own."""


def scraped(target: Target, instance: Instance) -> str:
    """A live Vault server's page for Prometheus."""
    with https.client(target, instance.address, instance.port, host=HOST) as client:
        return client.get("/v1/sys/metrics", params={"format": "prometheus"}).raise_for_status().text


@pytest.fixture(scope="module")
def sealed() -> Iterator[ScratchVault]:
    """A server that was initialised with key shares, of which none was given: sealed."""
    with vaults() as made:
        server = made.make("sealed").start(unseal=False)
        server.initialise()
        yield server


@pytest.fixture(scope="module")
def unsealed() -> Iterator[ScratchVault]:
    """A server that leads."""
    with vaults() as made:
        server = made.make("unsealed").start()
        server.initialise()
        yield server


def highest(page: str) -> float:
    """`max by (instance) (vault_core_unsealed)` for one server's page; ValueError when the page lacks the series."""
    return max(one.value for one in samples(page, "vault_core_unsealed"))


def test_5_the_alert_called_vault_unsealed_fires_when_vault_is_sealed(sealed: ScratchVault) -> None:
    assert sealed.ask("GET", "sys/seal-status").json()["sealed"] is True
    assert fires(sealed.metrics(), "vault_core_unsealed") != []


def test_5_every_node_of_the_platform_says_that_it_is_unsealed(target: Target) -> None:
    for instance in target.instances("vault"):
        assert highest(scraped(target, instance)) == 1.0, instance.name


def test_6_vault_does_not_emit_all_the_names_of_the_document(target: Target) -> None:
    emitted: set[str] = set()
    for instance in target.instances("vault"):
        emitted |= names(scraped(target, instance))
    assert {"vault_core_ha_mode", "vault_raft_storage_is_leader"} & emitted == set()
    assert {"vault_core_active", "vault_core_unsealed"} <= emitted
    assert DOCUMENTS["vault"] - emitted, "every name of the document is there: strike the finding"


def exporter(program: str) -> str:
    """The exporter's program; the test is not run where it is not installed."""
    place = shutil.which(program)
    if place is None:
        pytest.skip(f"{program} is not installed here (Debian package {program})")
    return place


def page_of(process: Process, place: str) -> str:
    """The exporter's page, as soon as it answers."""

    def answer() -> str:
        assert not process.ended, process.log.read_text()[-300:]
        return httpx.get(f"http://{place}/metrics", timeout=5).raise_for_status().text

    return until(answer, 10, "the exporter answers", every=0.2)


def test_6_the_postgresql_exporter_has_other_names(target: Target, tmp_path: Path) -> None:
    server, place = target.instances("postgresql")[0], f"{address()}:9187"
    command = [exporter("prometheus-postgres-exporter"), f"--web.listen-address={place}"]
    write_private(tmp_path / "password", target.secret("pgpool-password").encode())
    variables = {
        "PATH": os.environ["PATH"],
        "DATA_SOURCE_URI": f"{server.address}:{server.port}/postgres?sslmode=disable",
        "DATA_SOURCE_USER": "pgpool",
        "DATA_SOURCE_PASS_FILE": str(tmp_path / "password"),
    }
    process = Process(command, tmp_path / "log", variables)
    try:
        emitted = names(page_of(process, place))
    finally:
        process.stop()
    assert DOCUMENTS["postgresql"] & emitted == set()
    assert {"pg_up", "pg_stat_activity_count"} <= emitted


def test_6_the_redis_exporter_has_other_names(target: Target, tmp_path: Path) -> None:
    server, place = target.instances("redis")[0], f"{address()}:9121"
    uri = f"redis://{server.address}:{server.port}"
    write_private(tmp_path / "passwords.json", json.dumps({uri: target.secret("redis-password")}).encode())
    command = [
        exporter("prometheus-redis-exporter"),
        f"-redis.addr={uri}",
        f"-redis.password-file={tmp_path}/passwords.json",
        f"-web.listen-address={place}",
    ]
    process = Process(command, tmp_path / "log", {"PATH": os.environ["PATH"]})
    try:
        page = page_of(process, place)
    finally:
        process.stop()
    assert [one.value for one in samples(page, "redis_up")] == [1.0], "the exporter did not reach the server"
    assert DOCUMENTS["redis"] & names(page) == set()
    assert {"redis_memory_used_bytes", "redis_connected_clients"} <= names(page)


def test_7_a_dead_server_has_no_sample_and_the_alert_never_fires(sealed: ScratchVault) -> None:
    """The same server, first alive and sealed, then dead. Only that it could not be scraped (`up`) tells."""
    page = sealed.metrics()
    assert fires(page, "vault_core_unsealed") != []
    sealed.stop()
    with pytest.raises(httpx.HTTPError):
        sealed.metrics()
    assert fires("", "vault_core_unsealed") == []
    sealed.start(unseal=False)


def test_7_this_suite_takes_no_answer_for_an_answer(target: Target) -> None:
    """Roles are asked for: an address where no server is gives no role, and that is not a healthy one."""
    gone = Instance("vault-9", "vault", 9, address(), 8200, "nowhere")
    assert (Vault(target).role(gone), Vault(target).healthy(gone)) == ("", False)


def test_19_an_unsealed_server_also_says_it_is_sealed(unsealed: ScratchVault) -> None:
    """The series it had before it knew its cluster's name stays at 0 for ever: `== 0` fires on a healthy leader."""
    page = unsealed.metrics()
    assert unsealed.ask("GET", "sys/seal-status").json()["sealed"] is False
    assert [one.labels.get("cluster") for one in fires(page, "vault_core_unsealed")] == [""]
    told = [one.value for one in samples(page, "vault_core_unsealed") if one.labels.get("cluster")]
    assert told == [1.0]


def test_19_the_maximum_by_instance_tells_sealed_from_unsealed(unsealed: ScratchVault, sealed: ScratchVault) -> None:
    assert (highest(unsealed.metrics()), highest(sealed.metrics())) == (1.0, 0.0)
