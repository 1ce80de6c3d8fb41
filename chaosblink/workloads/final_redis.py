"""The lists each member of a Redis set holds."""

from __future__ import annotations

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from chaosblink.history import FinalRead, store_of
from chaosblink.targets import Instance
from chaosblink.waiting import Timeout, until
from chaosblink.workloads.redis_path import key
from chaosblink.workloads.spec import Spec, secret


def read_redis(spec: Spec, store: str) -> list[FinalRead]:
    """One read a member; a replica is read once it has received all its master had written."""
    number = int(store.removeprefix("redis-"))
    members = [instance for instance in spec.of("redis") if instance.ordinal == number - 1]
    roles = {member.name: _role(spec, member) for member in members}
    offsets = [int(role[1]) for role in roles.values() if role and role[0] == "master"]
    reads = []
    for member in members:
        role = roles[member.name]
        if not role:
            reads.append(_failed(store, member, "", "no answer to ROLE"))
        elif role[0] == "master":
            reads.append(_read(spec, store, member, "master", 0))
        elif len(offsets) == 1:
            reads.append(_read(spec, store, member, "replica", offsets[0]))
        else:
            reads.append(_failed(store, member, "replica", f"{len(offsets)} masters: no offset to wait for"))
    return reads


def _read(spec: Spec, store: str, member: Instance, role: str, offset: int) -> FinalRead:
    try:
        if role == "replica":
            until(lambda: _received(spec, member, offset), spec.final_read_deadline_s, f"offset {offset}", 0.2)
        with _client(spec, member) as client:
            paths = [path.path for path in spec.paths if store_of(path.path) == store]
            lists: list[list[str]] = [client.lrange(key(spec.run, path), 0, -1) for path in paths]
    except (RedisError, Timeout, OSError) as error:
        return _failed(store, member, role, str(error))
    return FinalRead(store, member.name, role, time.monotonic_ns(), [identity for ids in lists for identity in ids])


def _received(spec: Spec, member: Instance, offset: int) -> bool:
    """ROLE of a replica ends in its link's state and its offset."""
    role = _role(spec, member)
    return bool(role) and role[0] == "slave" and role[3] == "connected" and int(role[4]) >= offset


def _role(spec: Spec, member: Instance) -> list[Any]:
    try:
        with _client(spec, member) as client:
            return list(client.execute_command("ROLE"))
    except (RedisError, OSError):
        return []


def _client(spec: Spec, member: Instance) -> redis.Redis:
    assert spec.redis is not None
    return redis.Redis(
        host=member.address,
        port=member.port,
        password=secret(spec.redis.password_file) or None,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        protocol=2,
    )


def _failed(store: str, member: Instance, role: str, why: str) -> FinalRead:
    return FinalRead(store, member.name, role, time.monotonic_ns(), [], False, why[:200])
