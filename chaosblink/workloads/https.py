"""HTTPS to a given address under a given host name: SNI, certificate check and Host header all use the name."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from chaosblink.workloads.attempt import Attempt


class OneAddress(AbstractResolver):
    """Resolves every name to one address, so that no DNS is needed and none is measured."""

    def __init__(self, address: str) -> None:
        """`address` is an IP address, or a name that the system resolves."""
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The one address, whatever the name."""
        return [
            ResolveResult(
                hostname=host, host=self._address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


def trust(ca_file: str) -> ssl.SSLContext:
    """A context that trusts one CA; OSError or SSLError when the file cannot be used."""
    return ssl.create_default_context(cafile=ca_file)


def session(address: str, context: ssl.SSLContext, limit: int, fresh: bool = False) -> aiohttp.ClientSession:
    """A client with at most `limit` connections; a fresh one closes each connection after its answer.

    Each request must pass `trace_request_ctx=attempt`: the attempt counts as sent from the moment a connection is at
    hand, which errs on the side of unknown.
    """
    connector = aiohttp.TCPConnector(
        resolver=OneAddress(address), ssl=context, limit=limit, force_close=fresh, use_dns_cache=False
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
