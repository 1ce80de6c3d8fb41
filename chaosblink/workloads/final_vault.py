"""The secrets each Vault node holds: the leader, and standbys from their own copy."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp

from chaosblink.history import FinalRead
from chaosblink.targets import Instance
from chaosblink.workloads.certain.vault import Answered
from chaosblink.workloads.https import session, trust, unnamed_trust
from chaosblink.workloads.spec import Spec, VaultRoute
from chaosblink.workloads.vault_path import folder, log_in


def read_vault(spec: Spec) -> list[FinalRead]:
    """One read a node. A standby is read again until it shows all the leader shows, or the deadline has passed: what
    it holds then is its copy. One that answers only by its leader (no standby reads) is not complete.
    """
    return asyncio.run(_read_nodes(spec))


async def _read_nodes(spec: Spec) -> list[FinalRead]:
    assert spec.vault is not None
    try:
        async with session(spec.vault.address, trust(spec.vault.ca_file), limit=1) as client:
            token = await log_in(client, spec.vault)
    except (aiohttp.ClientError, Answered, OSError) as error:
        return [_failed(node, "", f"no token: {type(error).__name__}: {error}") for node in spec.of("vault")]
    roles = {node.name: await _role(spec.vault, node) for node in spec.of("vault")}
    leaders = [node for node in spec.of("vault") if roles[node.name] == "leader"]
    reads = [await _read(spec, node, token, "leader", set()) for node in leaders]
    expected = {identity for read in reads for identity in read.ids}
    others = [node for node in spec.of("vault") if node not in leaders]
    reads += await asyncio.gather(*(_read(spec, node, token, roles[node.name], expected) for node in others))
    return reads


async def _read(spec: Spec, node: Instance, token: str, role: str, expected: set[str]) -> FinalRead:
    assert spec.vault is not None
    deadline = time.monotonic() + spec.final_read_deadline_s
    async with session(node.address, unnamed_trust(spec.vault.ca_file), limit=1) as client:
        while True:
            read = await _attempt(client, spec, node, token, role)
            if (read.complete and expected <= set(read.ids)) or time.monotonic() > deadline:
                return read
            await asyncio.sleep(0.2)


async def _attempt(client: aiohttp.ClientSession, spec: Spec, node: Instance, token: str, role: str) -> FinalRead:
    """One look; a standby that has not caught up with its leader's mounts yet answers 307 and is asked again."""
    try:
        ids = await _list(client, node, token, spec.run)
    except (aiohttp.ClientError, Answered, OSError, ValueError) as error:
        return _failed(node, role, f"{type(error).__name__}: {error}")
    return FinalRead("vault", node.name, role, time.monotonic_ns(), ids)


async def _list(client: aiohttp.ClientSession, node: Instance, token: str, run: str) -> list[str]:
    """Ids of a run; an empty folder is 404. No forwarding: the node must answer from its own copy."""
    headers = {"X-Vault-Token": token, "X-Vault-No-Request-Forwarding": "true"}
    where = f"https://{node.address}:{node.port}/v1/secret/metadata/{folder(run)}"
    timeout = aiohttp.ClientTimeout(total=20)
    async with client.request("LIST", where, headers=headers, allow_redirects=False, timeout=timeout) as answer:
        body: dict[str, Any] = json.loads(await answer.read() or b"{}")
        if answer.status == 404 and not body.get("errors"):
            return []
        if answer.status != 200:
            raise Answered(answer.status)
        return list(body["data"]["keys"])


async def _role(route: VaultRoute, node: Instance) -> str:
    try:
        async with (
            session(node.address, unnamed_trust(route.ca_file), limit=1) as client,
            client.get(f"https://{node.address}:{node.port}/v1/sys/leader", timeout=aiohttp.ClientTimeout(5)) as answer,
        ):
            if answer.status != 200:
                return "sealed" if answer.status == 503 else ""
            return "leader" if (await answer.json())["is_self"] else "standby"
    except (aiohttp.ClientError, OSError, TimeoutError):
        return ""


def _failed(node: Instance, role: str, why: str) -> FinalRead:
    return FinalRead("vault", node.name, role, time.monotonic_ns(), [], False, why[:200])
