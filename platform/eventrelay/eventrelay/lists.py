"""The lists, the cursor and the relays' lease in Redis; each change is one script, so that it happens whole or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from redis import Redis

from eventrelay.source import START, Cursor
from eventrelay.table import QUEUES

PREFIX = "zitadel:events"
CURSOR = f"{PREFIX}:cursor"
LEASE = f"{PREFIX}:relay"

# Appends only if the stored cursor is the one the batch was read after. A Redis failover that forgets events forgets
# the cursor with them, and a relay that was frozen and thaws cannot append what another has sent long ago.
_PUSH = """
-- KEYS cursor, lists   ARGV expected cursor, new cursor, most elements, number of elements for each list, elements
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then return {'moved', stored} end
for list = 2, #KEYS do
  local more = tonumber(ARGV[list + 2])
  if more > 0 and redis.call('LLEN', KEYS[list]) + more > tonumber(ARGV[3]) then return {'full', KEYS[list]} end
end
local at = #KEYS + 3
for list = 2, #KEYS do
  for _ = 1, tonumber(ARGV[list + 2]) do
    redis.call('RPUSH', KEYS[list], ARGV[at])
    at = at + 1
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return {'pushed', ''}
"""

# The lease only saves two relays from doing the same work; what keeps them from doing harm is the cursor.
_HOLD = """
-- KEYS lease, lists   ARGV holder, ms
local holder = redis.call('GET', KEYS[1])
if not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  holder = ARGV[1]
elseif holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local answer = {holder, redis.call('PTTL', KEYS[1])}
for list = 2, #KEYS do answer[list + 1] = redis.call('LLEN', KEYS[list]) end
return answer
"""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Pushed(NamedTuple):
    """What became of a push: appended, refused because the cursor is another, or because a list (`detail`) is full."""

    outcome: Literal["pushed", "moved", "full"]
    detail: str


class Held(NamedTuple):
    """Who relays now, for how many more ms, and how many elements each list holds."""

    holder: str
    remaining_ms: int
    depths: dict[str, int]


def key_of(queue: str) -> str:
    """`high` -> `zitadel:events:high`."""
    return f"{PREFIX}:{queue}"


class Lists:
    """Every method raises redis.RedisError when Redis refuses or does not answer; nothing is repeated."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._keys = [key_of(queue) for queue in QUEUES]

    def cursor(self) -> Cursor:
        """The stored cursor, START when there is none; ValueError when it is none of ours."""
        stored: Any = self._client.get(CURSOR)
        return Cursor.parse(stored.decode()) if stored else START

    def push(self, expected: Cursor, new: Cursor, elements: Mapping[str, Sequence[bytes]], deepest: int) -> Pushed:
        """Append the elements of each list and move the cursor from `expected` to `new`, or do neither."""
        given = [elements.get(queue, []) for queue in QUEUES]
        before = "" if expected == START else str(expected)
        counts = [len(batch) for batch in given]
        flat = [element for batch in given for element in batch]
        answer: Any = self._client.eval(
            _PUSH, 1 + len(self._keys), CURSOR, *self._keys, before, str(new), deepest, *counts, *flat
        )
        return Pushed(answer[0].decode(), answer[1].decode())

    def hold(self, holder: str, lease_ms: int) -> Held:
        """Take the lease if it is free, prolong it if it is ours, and say whose it is."""
        answer: Any = self._client.eval(_HOLD, 1 + len(self._keys), LEASE, *self._keys, holder, lease_ms)
        return Held(answer[0].decode(), answer[1], dict(zip(QUEUES, answer[2:], strict=True)))

    def release(self, holder: str) -> None:
        """Give the lease back if it is ours, so that the standby need not wait for its end."""
        self._client.eval(_RELEASE, 1, LEASE, holder)

    def reset(self) -> None:
        """Drop every connection; the next call dials anew."""
        self._client.close()
