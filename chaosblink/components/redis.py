"""Redis: sets of one master and one replica each, watched by the Sentinels as `set-1`, `set-2`, ..."""

from __future__ import annotations

from typing import Any

from redis import Redis as Connection
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from chaosblink.components.protocol import PATIENCE_S, Bound, Redundancy, first_answer
from chaosblink.targets import Instance, PlatformError, Target


class Redis:
    """Asks each server ROLE; whether a set is complete is asked of its members and of the Sentinels."""

    name = "redis"

    def __init__(self, target: Target) -> None:
        self._target = target

    def instances(self) -> list[Instance]:
        """Its servers, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """master or replica; "" when it does not answer."""
        said = self._answer(instance)
        return {"master": "master", "slave": "replica"}.get(str(said[0]), "") if said else ""

    def healthy(self, instance: Instance) -> bool:
        """Whether the server answers and, as a replica, is connected to its master."""
        said = self._answer(instance)
        return bool(said) and (said[0] == "master" or said[3] == "connected")

    def redundant(self) -> Redundancy:
        """Each set has one master and one online replica, and the Sentinels agree on it (see `sentinel`)."""
        from chaosblink.components.sentinel import Sentinel  # it asks this component who is master

        faults = [fault for number in self.sets() if (fault := self._incomplete(number))]
        if faults:
            return Redundancy(False, "; ".join(faults))
        agreed = Sentinel(self._target).redundant()
        return agreed if not agreed.ok else Redundancy(True, f"{len(self.sets())} sets complete; {agreed.why}")

    def client(self, instance: Instance | None = None) -> Connection:
        """A client of one server, or through the edge of whoever is master of set 1; it never retries by itself."""
        address = (instance.address, instance.port) if instance else self._target.endpoint("redis-master")
        return connection(*address, password=self._target.secret("redis-password"))

    def version(self) -> str:
        """Version of the server."""
        return first_answer(self.name, self.instances(), lambda instance: version(self.client(instance)))

    def bound(self) -> Bound:
        """See `bound`."""
        return bound(self._target)

    def sets(self) -> list[int]:
        """Numbers of the sets, counted from 1."""
        return sorted({instance.ordinal + 1 for instance in self.instances()})

    def members(self, number: int) -> list[Instance]:
        """The two servers of a set."""
        return [instance for instance in self.instances() if instance.ordinal == number - 1]

    def masters(self) -> dict[int, list[Instance]]:
        """Who says master, by set; a set in order has one."""
        return {n: [i for i in self.members(n) if self.role(i) == "master"] for n in self.sets()}

    def _answer(self, instance: Instance) -> list[Any]:
        try:
            with self.client(instance) as asked:
                return list(asked.execute_command("ROLE"))
        except RedisError:
            return []

    def _incomplete(self, number: int) -> str:
        """What a set lacks; empty when it is complete."""
        said = {instance.name: self._answer(instance) for instance in self.members(number)}
        masters = [name for name, answer in said.items() if answer and answer[0] == "master"]
        replicas = [name for name, answer in said.items() if answer and answer[0] == "slave"]
        if len(masters) != 1 or len(replicas) != len(said) - 1:
            return f"set {number}: masters {masters}, replicas {replicas} of {len(said)} servers"
        if not replicas:
            return f"set {number}: {masters[0]} has no replica, so it takes no writes and cannot fail over"
        broken = [name for name in replicas if said[name][3] != "connected"]
        online = len(said[masters[0]][2])
        if broken or online != len(replicas):
            return f"set {number}: {online} replicas online at {masters[0]}, link down at {broken}"
        return ""


def version(opened: Connection) -> str:
    """The server's version; empty when it does not answer. Closes the client."""
    try:
        with opened as asked:
            answer: Any = asked.info("server")
            return str(answer["redis_version"])
    except (RedisError, KeyError):
        return ""


def connection(address: str, port: int, password: str | None) -> Connection:
    """A client with short deadlines that never retries: its own retries would blur an outage and can write twice."""
    return Connection(
        host=address,
        port=port,
        password=password,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=True,
    )


TICK_MS = 100.0
"""Sentinel's timer at its slowest (server.hz 10)."""
TICKS = 5
"""Ticks it acts on: reconnect (which sends the ping that will not be answered), subjectively down, objectively down and
votes asked, votes counted, replica chosen and promoted."""
INFO_MS = 1000.0
"""sentinel.c, SENTINEL_INFO_PERIOD during a failover: the promotion is seen in the next INFO and published at once."""
REJOIN_MS = 2000.0
"""The old master's start script asks the Sentinels (every 0.2 s), loads its AOF and is synchronised: replication cron
1 s, transfer of a small data set 0.5 s. Its restart itself falls into the time in which the Sentinels still wait."""


def bound(target: Target) -> Bound:
    """Sentinels notice and fail over; with min-replicas-to-write, writes wait until the old master is a replica.

    down-after and failover-timeout are what every Sentinel says now. One election: a split vote, rare because only a
    Sentinel that sees the master down asks for votes, would add twice the failover timeout (in the inputs).
    """
    from chaosblink.components.sentinel import Sentinel

    sentinel = Sentinel(target)
    masters = {instance.name: sentinel.masters(instance) for instance in sentinel.instances()}
    silent = [name for name, answer in masters.items() if not answer]
    if silent:
        raise PlatformError(f"{', '.join(silent)} did not tell what it watches: the outage bound is unknown")
    every = [master for answer in masters.values() for master in answer.values()]
    down_after = max(float(master["down-after-milliseconds"]) for master in every)
    lost = 2 * max(float(master["failover-timeout"]) for master in every)
    replicas = max(_min_replicas(target, instance) for instance in target.instances("redis"))
    rejoin = REJOIN_MS if replicas else 0.0
    return Bound(
        down_after + TICKS * TICK_MS + INFO_MS + rejoin,
        "down-after + 5 timer ticks + INFO period + (with min-replicas-to-write) rejoin of the old master",
        {
            "down_after_ms": down_after,
            "tick_ms": TICK_MS,
            "info_ms": INFO_MS,
            "min_replicas_to_write": replicas,
            "rejoin_ms": rejoin,
            "a_lost_election_adds_ms": lost,
        },
    )


def _min_replicas(target: Target, instance: Instance) -> int:
    try:
        with Redis(target).client(instance) as asked:
            answer: Any = asked.config_get("min-replicas-to-write")
            return int(answer["min-replicas-to-write"])
    except (RedisError, KeyError) as error:
        raise PlatformError(f"{instance.name} did not tell its settings: {type(error).__name__}") from None
