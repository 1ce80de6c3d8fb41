"""HTTP(S) to the platform by address: certificates are checked against its CA, the host name is sent beside it."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

import httpx
from requests.adapters import HTTPAdapter

from chaosblink.components.protocol import PATIENCE_S
from chaosblink.targets import Target


def client(target: Target, address: str, port: int, host: str = "", **settings: Any) -> httpx.Client:
    """A client for `https://address:port`; `host` is the name in SNI, certificate and Host header."""
    opened = httpx.Client(
        base_url=f"https://{address}:{port}", verify=_trust(str(target.ca_file)), timeout=PATIENCE_S, **settings
    )
    if host:
        opened.headers["Host"] = host
        opened.event_hooks = {"request": [lambda request: request.extensions.update(sni_hostname=host)]}
    return opened


@lru_cache
def _trust(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


class Named(HTTPAdapter):
    """For clients made of `requests` (hvac): a server asked by its address must show a certificate for this name."""

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Have every connection ask for the name and check it."""
        super().init_poolmanager(*arguments, **options, server_hostname=self._host, assert_hostname=self._host)
