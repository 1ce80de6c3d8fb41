"""What a listener on the network between a client and a server would read."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Wire:
    """A TCP relay on loopback that keeps every byte that passes, in both directions."""

    def __init__(self, address: str, port: int) -> None:
        self._there = (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.heard = bytearray()
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where clients connect, on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Drop every connection."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._there, 5)
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while heard := source.recv(65536):
                self.heard += heard
                sink.sendall(heard)
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def wire(address: str, port: int) -> Iterator[Wire]:
    """A relay to the server, closed at the end."""
    relay = Wire(address, port)
    try:
        yield relay
    finally:
        relay.close()
