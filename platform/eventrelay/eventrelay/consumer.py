"""For whoever consumes the lists: take an element, work, and only then remove it. See README.md for the whole use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis import Redis

from eventrelay.element import ElementError, Event, unpack
from eventrelay.lists import key_of
from eventrelay.table import QUEUES

# One consumer at a time works on a list, for the order's sake, and has one element in hand, which lies in the
# processing list until the work is done. Whoever takes the list over finds it there and works on it first.
_TAKE = """
-- KEYS for each list: list, processing list, lease   ARGV holder, ms
for at = 1, #KEYS, 3 do
  local holder = redis.call('GET', KEYS[at + 2])
  if not holder or holder == ARGV[1] then
    if not holder or redis.call('PTTL', KEYS[at + 2]) < tonumber(ARGV[2]) / 2 then
      redis.call('SET', KEYS[at + 2], ARGV[1], 'PX', ARGV[2])
    end
    local element = redis.call('LINDEX', KEYS[at + 1], 0)
    if not element then element = redis.call('LMOVE', KEYS[at], KEYS[at + 1], 'LEFT', 'RIGHT') end
    if element then return {KEYS[at], element} end
  end
end
return false
"""

_PUT_ASIDE = """
redis.call('LREM', KEYS[1], 1, ARGV[1])
return redis.call('RPUSH', KEYS[2], ARGV[1])
"""


class Taken(NamedTuple):
    """An element in hand: the list it came from (`high`) and its bytes as they lie in the processing list."""

    queue: str
    element: bytes

    def events(self) -> list[Event]:
        """Its events in their order; ElementError when it is no batch (then `put_aside` keeps the list going)."""
        return unpack(self.element)


def processing(queue: str) -> str:
    """`high` -> `zitadel:events:high:processing`."""
    return f"{key_of(queue)}:processing"


def unreadable(queue: str) -> str:
    """Where elements are kept that are no batch."""
    return f"{key_of(queue)}:unreadable"


class Consumer:
    """Takes elements of some lists, those of earlier classes first; every method raises redis.RedisError.

    `name` must stay the same over restarts and differ between instances: a restarted consumer goes on at once, another
    one takes over after `lease_ms` of silence. A batch that takes longer than that may be worked on twice at the same
    time, which the inbox (`eventrelay.inbox`) makes harmless.
    """

    def __init__(self, client: Redis, name: str, lease_ms: int, queues: Sequence[str] = QUEUES) -> None:
        self._client, self._name, self._lease_ms = client, name, lease_ms
        self._queues = {key_of(queue): queue for queue in queues}
        self._keys = [key for q in queues for key in (key_of(q), processing(q), f"{key_of(q)}:consumer")]

    def take(self) -> Taken | None:
        """The element in hand, else the next one; None when there is none, or another consumer has the lists."""
        answer: Any = self._client.eval(_TAKE, len(self._keys), *self._keys, self._name, self._lease_ms)
        return Taken(self._queues[answer[0].decode()], answer[1]) if answer else None

    def done(self, taken: Taken) -> None:
        """Remove an element whose work is committed."""
        self._client.lrem(processing(taken.queue), 1, taken.element)  # type: ignore[arg-type]

    def put_aside(self, taken: Taken) -> None:
        """Move an element that is no batch out of the way, to `zitadel:events:<class>:unreadable`."""
        keys = (processing(taken.queue), unreadable(taken.queue))
        self._client.eval(_PUT_ASIDE, 2, *keys, taken.element)


__all__ = ["Consumer", "ElementError", "Event", "Taken", "processing", "unreadable"]
