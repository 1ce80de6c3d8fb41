"""Clients of an entrance with two addresses: each is tried first in turn, and one that refuses costs nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
import uvloop

from chaosblink.targets import Instance
from chaosblink.workloads.addresses import turns
from chaosblink.workloads.attempt import Attempt
from chaosblink.workloads.https import Addresses
from chaosblink.workloads.postgresql_path import Connection, cut_off
from chaosblink.workloads.redis_path import RedisPath
from chaosblink.workloads.redis_read import RedisReadPath
from chaosblink.workloads.spec import PathSpec, RedisRoute, Spec

LOADTESTS = Path(__file__).parents[2] / "loadtests"
DEAD, ALIVE = "127.0.0.2", "127.0.0.1"
"""Nothing listens on the first; both are this machine."""


def test_every_address_is_first_in_its_turn() -> None:
    assert list(islice(turns("a,b,c"), 4)) == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
    assert list(islice(turns("a"), 2)) == [["a"], ["a"]]


def test_no_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="no address"):
        turns("")


async def http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


def test_http_takes_the_next_address_where_one_refuses() -> None:
    async def asked() -> list[int]:
        server = await asyncio.start_server(http, ALIVE, 0)
        port = server.sockets[0].getsockname()[1]
        found = []
        async with server:
            resolver = Addresses(turns(f"{DEAD},{ALIVE}"))
            connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
            async with aiohttp.ClientSession(connector=connector) as client:
                for _ in range(4):
                    async with client.get(f"http://edge.test:{port}/") as answer:
                        found.append(answer.status)
        return found

    assert asyncio.run(asked()) == [200] * 4


class FakeRedis:
    """Answers AUTH and every other command; counts what it was asked."""

    def __init__(self, answer: bytes = b":1\r\n") -> None:
        self.answer, self.asked = answer, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                length = int((await reader.readline())[1:])
                words.append((await reader.readexactly(length + 2))[:-2])
            known = words[0].upper() in (b"AUTH", b"CLIENT", b"SELECT")
            self.asked += not known
            writer.write(b"+OK\r\n" if known else self.answer)
            await writer.drain()


def redis_spec(tmp_path: Path, port: int, path: str) -> tuple[Spec, PathSpec]:
    (tmp_path / "password").write_text("only-for-this-test")
    one = PathSpec(path, 50, 1000)
    members = [
        Instance("redis-master-0", "redis", 0, DEAD, port, ""),
        Instance("redis-replica-0", "redis", 0, ALIVE, port, ""),
    ]
    route = RedisRoute(str(tmp_path / "password"), edge_address=f"{DEAD},{ALIVE}", edge_port=port)
    return Spec("run", str(tmp_path), [one], members, redis=route), one


@pytest.mark.parametrize("path", ["redis-master/fresh", "redis-1/read"])
def test_redis_takes_the_next_address_where_one_refuses(tmp_path: Path, path: str) -> None:
    async def asked() -> tuple[int, list[str]]:
        fake = FakeRedis()
        server = await asyncio.start_server(fake.serve, ALIVE, 0)
        async with server:
            spec, one = redis_spec(tmp_path, server.sockets[0].getsockname()[1], path)
            client: Any = RedisReadPath(spec, one) if path.endswith("read") else RedisPath(spec, one)
            served = []
            for number in range(4):
                attempt = Attempt(str(number), 0, 0, 1.0)
                await client.operate(attempt)
                served.append(attempt.server)
            await client.close()
            return fake.asked, served

    count, served = asyncio.run(asked())
    assert count == 4
    assert set(served) == {"redis-replica-0" if path.endswith("read") else ""}


def test_a_read_that_nobody_answers_is_a_failure(tmp_path: Path) -> None:
    async def asked() -> tuple[str, str]:
        with socket.socket() as closed:
            closed.bind((ALIVE, 0))
            spec, one = redis_spec(tmp_path, closed.getsockname()[1], "redis-1/read")
        client = RedisReadPath(spec, one)
        attempt = Attempt("1", 0, 0, 1.0)
        try:
            await client.operate(attempt)
        except Exception as error:
            return client.verdict(error, attempt)
        return ("ok", "")

    assert uvloop.run(asked()) == ("fail", "refused")


def test_a_read_from_a_server_that_answers_with_an_error_goes_on_to_the_other(tmp_path: Path) -> None:
    async def asked() -> str:
        loading, fine = FakeRedis(b"-LOADING Redis is loading the dataset in memory\r\n"), FakeRedis()
        first = await asyncio.start_server(loading.serve, DEAD, 0)
        port = first.sockets[0].getsockname()[1]
        second = await asyncio.start_server(fine.serve, ALIVE, port)
        async with first, second:
            spec, one = redis_spec(tmp_path, port, "redis-1/read")
            client = RedisReadPath(spec, one)
            attempt = Attempt("1", 0, 0, 1.0)
            await client.operate(attempt)
            await client.close()
        assert loading.asked == 1
        return attempt.server

    assert asyncio.run(asked()) == "redis-replica-0"


def connection_on(end: socket.socket) -> Connection:
    return cast(Connection, SimpleNamespace(pgconn=SimpleNamespace(socket=end.fileno())))


def test_an_idle_connection_is_cut_off_when_its_server_has_closed_it_or_said_farewell() -> None:
    ours, theirs = socket.socketpair()
    assert not cut_off(connection_on(ours))
    theirs.send(b"E")
    assert cut_off(connection_on(ours))
    ours.recv(1)
    assert not cut_off(connection_on(ours))
    theirs.close()
    assert cut_off(connection_on(ours))
    ours.close()


def test_locusts_clients_resolve_the_host_to_every_address() -> None:
    code = (
        "from gevent import monkey; monkey.patch_all()\n"
        "import addresses, gevent.socket as s\n"
        "addresses.install()\n"
        "ask = lambda host: [a[4][0] for a in s.getaddrinfo(host, 443, s.AF_INET, s.SOCK_STREAM)]\n"
        "print(ask('127.0.0.2'), ask('127.0.0.2'), ask('127.0.0.3'))"
    )
    variables = {**os.environ, "LOGIN_ADDRESSES": "127.0.0.2,127.0.0.1", "PYTHONPATH": str(LOADTESTS)}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "['127.0.0.2', '127.0.0.1'] ['127.0.0.1', '127.0.0.2'] ['127.0.0.3']"
