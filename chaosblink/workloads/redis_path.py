"""Appends ids to a list on the master of a Redis set."""

from __future__ import annotations

from redis.asyncio import Connection
from redis.exceptions import RedisError

from chaosblink.history import Outcome
from chaosblink.workloads.addresses import turns
from chaosblink.workloads.attempt import Attempt, judge
from chaosblink.workloads.certain import redis as certain
from chaosblink.workloads.connections import Kept
from chaosblink.workloads.sentinels import MasterOfSet, command, connection
from chaosblink.workloads.spec import PathSpec, RedisRoute, Spec, secret


def key(run: str, path: str) -> str:
    """The list that holds the ids of one path in one run."""
    return f"chaos:{run}:{path}"


class RedisPath:
    """`redis-<set>/persistent`, `redis-<set>/fresh` (both through the Sentinels), `redis-master/...` (the edge)."""

    op = "rpush"

    def __init__(self, spec: Spec, path: PathSpec) -> None:
        """ValueError when the spec has no route to Redis."""
        if spec.redis is None:
            raise ValueError(f"{path.path} needs a redis route")
        self._spec, self._route = spec, spec.redis
        self._password = secret(spec.redis.password_file)
        self._timeout_s = path.deadline_ms / 1e3
        self._key = key(spec.run, path.path)
        self._fresh = path.path.endswith("/fresh")
        self._master = _master(spec, spec.redis, path.path)
        self._edges = None if self._master else turns(spec.redis.edge_address)
        self._kept: Kept[Connection] = Kept(self._connect, path.connections)

    async def open(self) -> None:
        """Nothing to prepare: a list begins with its first element."""

    async def operate(self, attempt: Attempt) -> None:
        """Append the attempt's id; the server is the address that was spoken to."""
        link = await (self._connect() if self._fresh else self._kept.take())
        sound = False
        try:
            attempt.sent = True
            await command(link, "RPUSH", self._key, attempt.id)
            attempt.server = self._spec.name_of("redis", link.host) if self._master else ""
            sound = True
        finally:
            if not sound and self._master:
                self._master.doubt()
            await self._release(link, sound)

    async def close(self) -> None:
        """Close idle connections and those to the Sentinels."""
        for link in self._kept.idle():
            await link.disconnect(nowait=True)
        if self._master:
            await self._master.close()

    def verdict(self, error: BaseException, attempt: Attempt) -> tuple[Outcome, str]:
        """Once sent, only an error reply on the list proves that nothing was appended."""
        return judge(error, attempt, certain.is_certain(error), certain.reason(error))

    async def _connect(self) -> Connection:
        if self._master:
            try:
                return await self._dial(*await self._master.find())
            except BaseException:
                self._master.doubt()
                raise
        assert self._edges is not None
        *earlier, last = next(self._edges)
        for address in earlier:
            try:
                return await self._dial(address, self._route.edge_port)
            except (RedisError, OSError):
                continue
        return await self._dial(last, self._route.edge_port)

    async def _dial(self, address: str, port: int) -> Connection:
        link = connection(address, port, self._password, self._timeout_s)
        try:
            await link.connect()
        except BaseException:
            await link.disconnect(nowait=True)
            raise
        return link

    async def _release(self, link: Connection, sound: bool) -> None:
        if sound and not self._fresh:
            self._kept.give(link)
            return
        if not self._fresh:
            self._kept.drop()
        await link.disconnect(nowait=True)


def _master(spec: Spec, route: RedisRoute, path: str) -> MasterOfSet | None:
    store = path.split("/", maxsplit=1)[0]
    if store == "redis-master":
        return None
    password = secret(route.sentinel_password_file) if route.sentinel_password_file else ""
    return MasterOfSet(store.replace("redis-", "set-"), lambda: spec.of("sentinel"), password)
