"""Speaks to one agent, and reads its clock: each moment it names is bracketed by send and reply on the run's clock."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

from chaosblink.targets import PlatformError

SERVER_NAME = "chaosblink-agent"
"""All agents share one certificate: an address would bind it to a node."""
PORT = 7443
CONNECT_S = 3.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A directory with `ca.crt`, `tls.crt`, `tls.key` of a run, and the file (mode 0600) that holds its token."""

    tls: Path
    token_file: Path


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and four moments around it (ns): `sent`, `got` on this clock, `received`, `replied` on the agent's."""

    result: Any
    sent: int
    received: int
    replied: int
    got: int

    def earliest(self, at: int) -> int:
        """This clock's earliest reading for a moment `at` of the agent's clock, between `received` and `replied`."""
        return self.sent + (at - self.received)

    @property
    def bracket_ns(self) -> int:
        """How much later than `earliest` a moment can have been: what the way there and back took."""
        return (self.got - self.sent) - (self.replied - self.received)


class Agent:
    """The agent of one node. PlatformError when it is away, refuses the caller, or will not do what is asked."""

    def __init__(self, node: str, address: str, credentials: Credentials, port: int = PORT) -> None:
        self.node, self.address = node, address
        token = credentials.token_file.read_text().strip()
        self._client = httpx.Client(
            base_url=f"https://{address}:{port}",
            verify=_trust(str(credentials.tls)),
            headers={"Authorization": f"Bearer {token}"},
            timeout=CONNECT_S,
        )

    def ask(self, verb: str, body: dict[str, Any], within: float = 10.0) -> Reply:
        """Ask, wait up to `within` seconds; the connection is kept, so that a second question has a narrow bracket."""
        sent = time.monotonic_ns()
        try:
            answer = self._client.post(
                f"/v1/{verb}",
                json=body,
                timeout=httpx.Timeout(within, connect=min(within, CONNECT_S)),
                extensions={"sni_hostname": SERVER_NAME},
            )
            got = time.monotonic_ns()
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PlatformError(f"the agent of {self.node} does not answer: {error or type(error).__name__}") from None
        if answer.status_code != 200:
            raise PlatformError(f"the agent of {self.node} refuses: {said.get('error', answer.status_code)}")
        return Reply(said["result"], sent, said["received"], said["replied"], got)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@lru_cache
def _trust(directory: str) -> ssl.SSLContext:
    place = Path(directory)
    context = ssl.create_default_context(cafile=str(place / "ca.crt"))
    context.load_cert_chain(place / "tls.crt", place / "tls.key")
    return context
