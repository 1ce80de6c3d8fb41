"""Writes one secret an operation into Vault's KV v2 store."""

from __future__ import annotations

import asyncio

import aiohttp

from chaosblink.history import Outcome
from chaosblink.workloads.attempt import Attempt, Refused, judge
from chaosblink.workloads.certain import vault as certain
from chaosblink.workloads.https import session, trust
from chaosblink.workloads.spec import PathSpec, Spec, VaultRoute, secret


def folder(run: str) -> str:
    """Where a run's secrets lie below `secret/data/` and `secret/metadata/`.

    One secret an operation, all of a run in one folder: one LIST is the whole final read. KV v2 stores a version before
    the metadata that a LIST shows, so a listed id was written (OpenBao, builtin/logical/kv/path_data.go).
    """
    return f"chaos/{run}"


async def log_in(client: aiohttp.ClientSession, route: VaultRoute) -> str:
    """A token from the AppRole files; `certain.Answered` or an aiohttp error when Vault gives none."""
    body = {"role_id": secret(route.role_id_file), "secret_id": secret(route.secret_id_file)}
    async with client.post(url(route, "auth/approle/login"), json=body) as answer:
        if answer.status != 200:
            raise certain.Answered(answer.status)
        return str((await answer.json())["auth"]["client_token"])


def url(route: VaultRoute, path: str) -> str:
    """The address of an API path under the route's host name."""
    return f"https://{route.host}:{route.port}/v1/{path}"


class VaultPath:
    """`vault/persistent` and `vault/fresh`; a fresh one makes a TLS connection for every operation."""

    op = "kv-write"

    def __init__(self, spec: Spec, path: PathSpec) -> None:
        """ValueError when the spec has no route to Vault."""
        if spec.vault is None:
            raise ValueError(f"{path.path} needs a vault route")
        self._spec, self._route = spec, spec.vault
        self._fresh, self._limit = path.path.endswith("/fresh"), path.connections
        self._url = url(spec.vault, f"secret/data/{folder(spec.run)}/")
        self._token = ""
        self._client: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Log in once: a token outlives the leader that gave it."""
        # A fresh connection may be opened by every operation that is due while older ones hang: no bound on those.
        limit = 0 if self._fresh else self._limit
        self._client = session(self._route.address, trust(self._route.ca_file), limit, self._fresh)
        while not self._token:
            try:
                self._token = await log_in(self._client, self._route)
            except (aiohttp.ClientError, certain.Answered, OSError):
                await asyncio.sleep(0.5)

    async def operate(self, attempt: Attempt) -> None:
        """Write the attempt's id as a secret of its own. POST, since aiohttp itself repeats a PUT."""
        if self._client is None or not self._token:
            raise Refused("no-token")
        headers = {"X-Vault-Token": self._token}
        async with self._client.post(
            self._url + attempt.id, data=b'{"data":{"chaos":"1"}}', headers=headers, trace_request_ctx=attempt
        ) as answer:
            await answer.read()
            if not 200 <= answer.status < 300:
                raise certain.Answered(answer.status)
            attempt.server = answer.headers.get("X-Vault-Raft-Node-ID", answer.headers.get("X-Served-By", ""))

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.close()

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        """A 4xx and anything before sending is certain; a 5xx or a lost answer is unknown."""
        return judge(error, attempt, certain.is_certain(error), certain.reason(error))
