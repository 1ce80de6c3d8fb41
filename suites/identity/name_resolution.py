"""Lets this process find a platform's host name, which no DNS server knows, at the address it really has."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def resolving(host: str, address: str, port: int) -> Iterator[None]:
    """Inside the block `host` (whatever the port asked for) is `address:port`; other names are looked up as ever.

    Certificates are still checked against the name, so it proves no less than a line in /etc/hosts would.
    """
    really = socket.getaddrinfo

    def look_up(name: Any, service: Any, *more: Any, **options: Any) -> Any:
        given = name.decode() if isinstance(name, bytes) else name
        return really(address, port, *more, **options) if given == host else really(name, service, *more, **options)

    with mock.patch.object(socket, "getaddrinfo", look_up):
        yield
