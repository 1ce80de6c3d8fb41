"""Certain failures of a Vault write: answers of the 4xx class, given before anything is stored."""

from __future__ import annotations

import aiohttp

STATUSES = {
    400: "malformed: refused",
    403: "permission denied or token gone: refused by the policy check before the backend saw it",
    404: "no such mount: refused",
    405: "operation not supported: refused",
    412: "the standby has not caught up yet: refused",
    413: "too large: refused",
    429: "over a rate quota: refused",
}
"""HTTP status and why nothing was written (Vault API, "HTTP status codes").

Every 5xx is absent on purpose: 500 may answer a write whose Raft entry was appended by a leader that then stepped down
and which the next leader still commits; 502 to 504 may be an edge that lost the answer.
"""


class Answered(Exception):
    """Vault answered with a status other than 2xx."""

    def __init__(self, status: int) -> None:
        super().__init__(f"http-{status}")
        self.status = status


def is_certain(error: BaseException) -> bool:
    """Whether an error proves that the write did not and will not happen."""
    return isinstance(error, Answered) and error.status in STATUSES


def reason(error: BaseException) -> str:
    """A short name: the status, or what happened to the connection."""
    if isinstance(error, Answered):
        return str(error)
    if isinstance(error, TimeoutError):
        return "deadline"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "refused" if isinstance(error.os_error, ConnectionRefusedError) else "connect-failed"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionResetError):
        return "connection-lost"
    return type(error).__name__
