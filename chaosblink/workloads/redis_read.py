"""Reads from a Redis set, whichever of its members answers: what a client can do that needs no fresh master."""

from __future__ import annotations

from redis.asyncio import Connection
from redis.exceptions import RedisError

from chaosblink.history import Outcome
from chaosblink.workloads.attempt import Attempt, judge
from chaosblink.workloads.certain import redis as certain
from chaosblink.workloads.redis_path import key
from chaosblink.workloads.sentinels import command, connection
from chaosblink.workloads.spec import PathSpec, Spec, secret

ANSWER_WITHIN_S = 0.3
"""A member that is dead, frozen or cut off costs this much before the other one is asked."""


class RedisReadPath:
    """`redis-<set>/read`: the length of what the set's writer wrote, asked of one member and, if need be, the other."""

    op = "read"

    def __init__(self, spec: Spec, path: PathSpec) -> None:
        """ValueError when the spec has no route to Redis, or no member of the set."""
        store = path.path.split("/")[0]
        number = int(store.removeprefix("redis-"))
        self._members = [member for member in spec.of("redis") if member.ordinal == number - 1]
        if spec.redis is None or not self._members:
            raise ValueError(f"{path.path} needs a redis route and the members of its set")
        self._password = secret(spec.redis.password_file)
        self._key = key(spec.run, f"{store}/persistent")
        self._links: dict[str, list[Connection]] = {member.name: [] for member in self._members}

    async def open(self) -> None:
        """Nothing to prepare."""

    async def operate(self, attempt: Attempt) -> None:
        """Ask the member that answered last, then the other; the last one's error when neither answers."""
        attempt.sent = True
        failure: Exception | None = None
        for member in list(self._members):
            link = self._idle(member.name) or connection(member.address, member.port, self._password, ANSWER_WITHIN_S)
            try:
                await link.connect()
                await command(link, "LLEN", self._key)
            except (RedisError, OSError) as error:
                await link.disconnect(nowait=True)
                failure = error
                self._ask_last(member.name)
                continue
            self._links[member.name].append(link)
            attempt.server = member.name
            return
        assert failure is not None
        raise failure

    async def close(self) -> None:
        """Close every idle connection."""
        for links in self._links.values():
            for link in links:
                await link.disconnect(nowait=True)

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        """A read that brought nothing failed: there is nothing that could appear later."""
        return judge(error, attempt, True, certain.reason(error))

    def _idle(self, name: str) -> Connection | None:
        return self._links[name].pop() if self._links[name] else None

    def _ask_last(self, name: str) -> None:
        self._members.sort(key=lambda member: member.name == name)
