"""HTTPS to given addresses under a given host name: SNI, certificate check and Host header all use the name."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from chaosblink.workloads.addresses import turns
from chaosblink.workloads.attempt import Attempt


class Addresses(AbstractResolver):
    """Resolves every name to the addresses given, so that no DNS is needed and none is measured.

    aiohttp dials them in order and takes the next where one refuses, or after 250 ms without an answer.
    """

    def __init__(self, turns: Iterator[list[str]]) -> None:
        """Each element of `turns` is the addresses of one connection, in the order in which they are tried."""
        self._turns = turns

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, whatever the name."""
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for address in next(self._turns)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def trust(ca_file: str) -> ssl.SSLContext:
    """A context that trusts one CA; OSError or SSLError when the file cannot be used."""
    return ssl.create_default_context(cafile=ca_file)


def session(
    address: str | Iterator[list[str]], context: ssl.SSLContext, limit: int, fresh: bool = False
) -> aiohttp.ClientSession:
    """A client with at most `limit` connections; a fresh one closes each connection after its answer.

    `address` is one address, several separated by commas, or the turns that several clients share (`addresses.turns`).
    Each request must pass `trace_request_ctx=attempt`: the attempt counts as sent from the moment a connection is at
    hand, which errs on the side of unknown.
    """
    connector = aiohttp.TCPConnector(
        resolver=Addresses(turns(address) if isinstance(address, str) else address),
        ssl=context,
        limit=limit,
        force_close=fresh,
        use_dns_cache=False,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[_sent_marker()],
    )


def _sent_marker() -> aiohttp.TraceConfig:
    async def mark(_session: aiohttp.ClientSession, context: Any, _parameters: Any) -> None:
        attempt = context.trace_request_ctx
        if isinstance(attempt, Attempt):
            attempt.sent = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(mark)
    trace.on_connection_reuseconn.append(mark)
    return trace


def unnamed_trust(ca_file: str) -> ssl.SSLContext:
    """Like `trust`, but a certificate signed by the CA may carry any name: for servers asked by their address."""
    context = trust(ca_file)
    context.check_hostname = False
    return context
