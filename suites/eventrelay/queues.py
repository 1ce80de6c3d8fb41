"""The queues as they lie in Redis, by the owner's names and not by the relay's code, and a way to hold them still."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator
from typing import Any

from chaosblink.components.redis import Redis
from chaosblink.targets import Target
from chaosblink.waiting import until

QUEUES = ("high", "normal", "low")
SET, DATABASE = 1, 1
EVERY_KEY = "zitadel:events*"
CURSOR, LEASE = "zitadel:events:cursor", "zitadel:events:relay"
DRAINED_WITHIN_S = 10.0
HELD_MS = 20_000
"""The consumer goes on by itself after that, should this process die while it holds the lists."""

_HOLD = "for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end"
_LET_GO = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""

Event = dict[str, Any]


def key_of(queue: str) -> str:
    """`high` -> `zitadel:events:high`."""
    return f"zitadel:events:{queue}"


def consumer_key(queue: str) -> str:
    """Where the consumer that has a list writes its name."""
    return f"{key_of(queue)}:consumer"


class Queues:
    """The lists at the owner's address of Redis; a method raises redis.RedisError when that does not answer."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def depths(self) -> dict[str, int]:
        """Elements that wait in each list."""
        return {queue: int(self.client.llen(key_of(queue))) for queue in QUEUES}

    def in_hand(self) -> dict[str, int]:
        """Elements a consumer has taken and not finished."""
        return {queue: int(self.client.llen(f"{key_of(queue)}:processing")) for queue in QUEUES}

    def put_aside(self) -> dict[str, int]:
        """Elements that were no batch."""
        return {queue: int(self.client.llen(f"{key_of(queue)}:unreadable")) for queue in QUEUES}

    def elements(self, queue: str) -> list[bytes]:
        """The elements of a list as they are, oldest first."""
        return list(self.client.execute_command("LRANGE", key_of(queue), 0, -1, NEVER_DECODE=True))

    def batches(self, queue: str) -> list[list[Event]]:
        """The events of each element; zlib.error or ValueError where one is not compressed JSON."""
        return [list(json.loads(zlib.decompress(element))["events"]) for element in self.elements(queue)]

    def events(self) -> dict[str, int]:
        """How many events wait in each list."""
        return {queue: sum(map(len, self.batches(queue))) for queue in QUEUES}


@contextlib.contextmanager
def queues(target: Target) -> Iterator[Queues]:
    """The lists through the address that follows the master, `redis-master`, in the owner's database."""
    with Redis(target).client() as client:
        client.select(DATABASE)
        yield Queues(client)


@contextlib.contextmanager
def held(target: Target) -> Iterator[Queues]:
    """The lists while no consumer takes from them; at the end it goes on, and they are awaited empty.

    Somebody else is named as the lists' consumer, which is how one consumer keeps another from them. Only for tests
    that run alone (`disturbs`): nothing is delivered meanwhile. Timeout when the consumer does not empty them.
    """
    with queues(target) as lists:
        keys = [consumer_key(queue) for queue in QUEUES]
        lists.client.eval(_HOLD, len(keys), *keys, "conformance", HELD_MS)
        try:
            until(lambda: not any(lists.in_hand().values()), DRAINED_WITHIN_S, "the consumer ends what it has in hand")
            yield lists
        finally:
            lists.client.eval(_LET_GO, len(keys), *keys, "conformance")
            until(lambda: _empty(lists), DRAINED_WITHIN_S, "the consumer empties the lists")


def _empty(lists: Queues) -> bool:
    return not any((*lists.depths().values(), *lists.in_hand().values()))
