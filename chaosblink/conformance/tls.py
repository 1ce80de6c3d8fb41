"""Which TLS versions a server speaks, and whether this client could speak them at all."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
import warnings
from pathlib import Path

from chaosblink.targets.local.certificates import Authority

WITHIN_S = 5.0
OLD = "ALL:@SECLEVEL=0"
"""Ciphers with which OpenSSL still offers TLS 1.0 and 1.1; at its default level it offers neither."""


def version(address: str, port: int, offered: ssl.TLSVersion, name: str = "") -> str:
    """What was agreed on when only `offered` was offered; empty when the server refuses the handshake.

    OSError when it does not answer at all. The certificate is not looked at: nothing secret is sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _speak_only(context, offered)
    with socket.create_connection((address, port), WITHIN_S) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=name or None) as secured:
                return secured.version() or ""
        except (ssl.SSLError, ConnectionError):
            return ""


def can_speak(offered: ssl.TLSVersion) -> bool:
    """Whether this client and a server that speaks nothing else agree on the version, tried on loopback."""
    with tempfile.TemporaryDirectory() as folder:
        Authority("tls probe").issue(Path(folder), ["127.0.0.1"], ["localhost"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder, "tls.pem"))
        _speak_only(context, offered)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(WITHIN_S)
            server = threading.Thread(target=_serve_one, args=(listener, context), daemon=True)
            server.start()
            agreed = version("127.0.0.1", listener.getsockname()[1], offered)
            server.join(WITHIN_S)
    return agreed == offered.name.replace("_", ".")


def _speak_only(context: ssl.SSLContext, offered: ssl.TLSVersion) -> None:
    context.set_ciphers(OLD)
    with warnings.catch_warnings():
        # that it is deprecated is the point
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = offered


def _serve_one(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)
    except OSError:
        connection.close()
