"""Edge, healthy: TLS from the platform's CA alone, routing by host, old TLS refused, health checks live."""

from __future__ import annotations

import contextlib
import csv
import io
import socket
import ssl
from typing import Any

import httpx
import psycopg
import pytest

from chaosblink.components import https
from chaosblink.components.edge import HOST, METRICS_PORT
from chaosblink.components.redis import Redis
from chaosblink.components.sentinel import Sentinel
from chaosblink.components.vault import HOST as VAULT_HOST
from chaosblink.conformance import tls
from chaosblink.targets import Instance, Target, name_at

BACKENDS = ("identity", "vault", "pgpool")
UNUSED = "MAINT (resolution)"


def edges(target: Target) -> list[Instance]:
    """Every instance; without one nothing would be tested."""
    found = target.instances("edge")
    assert found
    return found


def certificate(target: Target, instance: Instance, name: str, trusted: bool = True) -> dict[str, Any]:
    """The certificate shown for a host name, verified against the platform's CA (or the machine's own CAs)."""
    context = ssl.create_default_context(cafile=str(target.ca_file) if trusted else None)
    with (
        socket.create_connection((instance.address, instance.port), 5) as raw,
        context.wrap_socket(raw, server_hostname=name) as secured,
    ):
        return dict(secured.getpeercert() or {})


def statistics(instance: Instance) -> list[dict[str, str]]:
    """One line a server and backend, as HAProxy counts them."""
    text = httpx.get(f"http://{instance.address}:{METRICS_PORT}/;csv", timeout=5).raise_for_status().text
    return list(csv.DictReader(io.StringIO(text.removeprefix("# "))))


def checked(instance: Instance, backend: str) -> dict[str, dict[str, str]]:
    """The servers of one backend by name; a place that waits for a server's name to have another address is none."""
    lines = [line for line in statistics(instance) if line["pxname"] == backend and line["status"] != UNUSED]
    return {line["svname"]: line for line in lines if line["svname"] not in ("BACKEND", "FRONTEND")}


@pytest.mark.parametrize("name", [HOST, VAULT_HOST])
def test_the_certificate_is_of_the_platforms_ca_and_names(target: Target, name: str) -> None:
    for instance in edges(target):
        names = [value for kind, value in certificate(target, instance, name)["subjectAltName"] if kind == "DNS"]
        assert name in names, instance.name


def test_the_certificate_holds_for_no_other_name(target: Target) -> None:
    for instance in edges(target):
        with pytest.raises(ssl.SSLCertVerificationError):
            certificate(target, instance, "elsewhere.blinkchamber.test")


def test_the_certificate_is_not_of_a_ca_everybody_trusts(target: Target) -> None:
    """A client that does not know the platform's CA must not get through: its verification means something."""
    for instance in edges(target):
        with pytest.raises(ssl.SSLCertVerificationError):
            certificate(target, instance, HOST, trusted=False)


@pytest.mark.parametrize("old", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["TLSv1.0", "TLSv1.1"])
def test_old_tls_is_refused(target: Target, old: ssl.TLSVersion) -> None:
    assert tls.can_speak(old), f"this client cannot speak {old.name} itself, so its failure would prove nothing"
    for instance in edges(target):
        assert tls.version(instance.address, instance.port, old, HOST) == "", instance.name


def test_tls_1_2_and_1_3_are_spoken(target: Target) -> None:
    for instance in edges(target):
        for current in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert tls.version(instance.address, instance.port, current, HOST) != "", f"{instance.name}, {current.name}"


def test_plain_http_gets_no_page(target: Target) -> None:
    for instance in edges(target):
        try:
            answer = httpx.get(f"http://{instance.address}:{instance.port}/debug/healthz", timeout=5)
        except httpx.HTTPError:
            continue
        assert answer.status_code == 400, f"{instance.name} answered {answer.status_code}"


def test_identitys_host_leads_to_identity(target: Target) -> None:
    for instance in edges(target):
        with https.client(target, instance.address, instance.port, host=HOST) as client:
            found = client.get("/.well-known/openid-configuration").raise_for_status().json()
        assert found["issuer"] == f"https://{HOST}", instance.name


def test_vaults_host_leads_to_the_active_vault(target: Target) -> None:
    for instance in edges(target):
        with https.client(target, instance.address, instance.port, host=VAULT_HOST) as client:
            for _ in range(6):
                health = client.get("/v1/sys/health").json()
                assert (health["sealed"], health["standby"]) == (False, False), instance.name


def test_vaults_pages_are_not_on_identitys_host(target: Target) -> None:
    for instance in edges(target):
        with https.client(target, instance.address, instance.port, host=HOST) as client:
            answer = client.get("/v1/sys/health")
        assert answer.status_code == 404, f"{instance.name} answered {answer.status_code}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_server_is_health_checked_and_none_is_missing(target: Target, backend: str) -> None:
    for instance in edges(target):
        servers = checked(instance, backend)
        if (target.kind, backend) == ("kubernetes", "identity"):  # found by a name of several addresses
            assert len(servers) == len(target.instances(backend)), f"{instance.name}: {sorted(servers)}"
        else:
            assert set(servers) == {i.name for i in target.instances(backend)}, instance.name
        unchecked = [name for name, line in servers.items() if not line["check_status"].startswith("L")]
        assert unchecked == [], f"{instance.name} does not check {unchecked} of {backend}"


@pytest.mark.parametrize(("backend", "up"), [("identity", "all"), ("vault", "one"), ("pgpool", "all")])
def test_health_checks_let_traffic_to(target: Target, backend: str, up: str) -> None:
    """Every node of identity and PgPool, and of Vault the active one."""
    for instance in edges(target):
        states = {name: line["status"] for name, line in checked(instance, backend).items()}
        serving = [name for name, state in states.items() if state.startswith("UP")]
        assert len(serving) == (1 if up == "one" else len(states)), f"{instance.name}: {states}"


def test_redis_master_is_the_server_the_sentinels_call_master(target: Target) -> None:
    sentinel = Sentinel(target)
    named = {
        name_at(target.instances("redis"), sentinel.masters(instance)["set-1"]["ip"])
        for instance in sentinel.instances()
    }
    assert len(named) == 1, named
    member = next(i for i in Redis(target).members(1) if i.name in named)
    with Redis(target).client() as through, Redis(target).client(member) as direct:
        answers: list[Any] = [client.info("server") for client in (through, direct)]
    assert answers[0]["run_id"] == answers[1]["run_id"]


def test_the_way_to_postgresql_uses_every_pgpool(target: Target) -> None:
    """Connections are spread: opened at the same time, they do not all go to one."""
    servers = {i.name for i in target.instances("pgpool")}
    for instance in edges(target):
        before = {name: int(line["stot"]) for name, line in checked(instance, "pgpool").items()}
        with contextlib.ExitStack() as opened:
            for _ in range(2 * len(servers)):
                opened.enter_context(through(target, instance))
        after = {name: int(line["stot"]) for name, line in checked(instance, "pgpool").items()}
        assert {name for name in servers if after[name] > before[name]} == servers, (before, after)


def through(target: Target, instance: Instance) -> psycopg.Connection[Any]:
    """A connection to PostgreSQL through one instance of the edge."""
    return psycopg.connect(
        host=instance.address,
        port=target.endpoint("postgresql")[1],
        user="chaos",
        dbname="chaos",
        password=target.secret("chaos-password"),
        connect_timeout=5,
    )
