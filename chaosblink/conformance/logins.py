"""Log in to Vault as one of the platform's roles, as its applications do, and ask without a client library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from chaosblink.components import https
from chaosblink.components.vault import HOST
from chaosblink.targets import Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.target import KubernetesTarget

APPLICATIONS = {"zitadel": (names.APP_ROLE, "identity", names.IDENTITY)}
"""Who logs in by Kubernetes auth in a cluster: the role in Vault, namespace and name of the service account."""


class VaultAs:
    """Requests to Vault through the edge as one role; as nobody without a token."""

    def __init__(self, client: httpx.Client, token: str) -> None:
        self._client, self.token = client, token

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Whatever Vault answers; httpx.HTTPError when it does not."""
        headers = {"X-Vault-Token": self.token} if self.token else {}
        return self._client.request(method, f"/v1/{path}", headers=headers, json=body)


@contextmanager
def vault_as(target: Target, role: str = "") -> Iterator[VaultAs]:
    """A client with a token of the role (`chaos`, `zitadel`), or with none; PlatformError without its credentials."""
    address, port = target.endpoint("vault")
    with https.client(target, address, port, host=HOST) as client:
        yield VaultAs(client, _token(target, role) if role else "")


_TOKENS: dict[tuple[str, str], str] = {}
"""By platform and role: one login each a process, since every token is written to three disks."""


def _token(target: Target, role: str) -> str:
    known = (target.name, role)
    if known not in _TOKENS:
        _TOKENS[known] = _log_in(target, role)
    return _TOKENS[known]


def _log_in(target: Target, role: str) -> str:
    address, port = target.endpoint("vault")
    method, given = _credentials(target, role)
    with https.client(target, address, port, host=HOST) as client:
        answer = client.post(f"/v1/auth/{method}/login", json=given).raise_for_status()
    return str(answer.json()["auth"]["client_token"])


def _credentials(target: Target, role: str) -> tuple[str, dict[str, str]]:
    """As the role itself logs in: in a cluster the application shows the token of its service account."""
    if isinstance(target, KubernetesTarget) and role in APPLICATIONS:
        vaults_role, namespace, account = APPLICATIONS[role]
        return "kubernetes", {"role": vaults_role, "jwt": target.account_token(namespace, account)}
    return "approle", {f"{half}_id": target.secret(f"{role}-{half}-id") for half in ("role", "secret")}
