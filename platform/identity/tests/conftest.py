"""The one platform the tests share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from standin_servers import Node, Platform, Postgres, Redis, build


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
