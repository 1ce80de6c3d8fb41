"""The one platform the tests share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from standin_servers import Node, Platform, Postgres, Redis, build, free_port

for name in ("logins", "machines", "refusals", "parties"):
    pytest.register_assert_rewrite(f"suites.identity.contract_{name}")

from suites.identity.contract_machines import add_machine  # noqa: E402 - after the line that makes assertions speak
from suites.identity.contract_parties import Issuer, Person  # noqa: E402


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    home = Path(tempfile.mkdtemp(prefix="zitadel-standin-"))
    home.chmod(0o711)
    built = build(home)
    try:
        for node in built.nodes:
            node.start()
        assert built.nodes[0].status("/debug/ready") == 412
        built.redis.start()
        built.postgres.create()
        built.postgres.start()
        for node in built.nodes:
            node.wait_until_ready()
        yield built
    finally:
        servers: list[Node | Redis | Postgres] = [*built.nodes, built.redis, built.postgres]
        for server in servers:
            if server.process and server.process.poll() is None:
                server.stop()
        shutil.rmtree(home)


@pytest.fixture
def clients(platform: Platform) -> Iterator[list[httpx.Client]]:
    """A client of each node."""
    opened = [platform.client(0), platform.client(1)]
    yield opened
    for client in opened:
        client.close()


@pytest.fixture(scope="session")
def issuer(platform: Platform) -> Iterator[Issuer]:
    """A third node, whose own address is its public one, so that SDK and relying party find all by discovery."""
    port = free_port()
    first = platform.nodes[0]
    environment = first.environment | {"EXTERNAL_URL": f"http://localhost:{port}"}
    node = Node("identity-2", environment, first.log.with_name("identity-2.log"), port)
    node.start()
    try:
        node.wait_until_ready()
        yield Issuer(f"http://localhost:{port}", platform.token, platform.token)
    finally:
        node.stop()
    log = node.log.read_text()
    assert "Traceback" not in log
    assert not [secret for secret in platform.secrets if secret in log]


@pytest.fixture
def person(issuer: Issuer) -> Iterator[Person]:
    added = issuer.add_person()
    yield added
    issuer.remove_user(added.user_id)


@pytest.fixture
def machine(issuer: Issuer) -> Iterator[Person]:
    added = add_machine(issuer)
    yield added
    issuer.remove_user(added.user_id)
