"""Redis Sentinel: every Sentinel knows all others and all agree on each set's master."""

from __future__ import annotations

from typing import Any

from redis import Redis as Connection
from redis.exceptions import RedisError

from chaosblink.components.protocol import Bound, Redundancy, first_answer, no_formula
from chaosblink.components.redis import Redis, connection, version
from chaosblink.targets import Instance, Target


class Sentinel:
    """Asks each Sentinel for its masters."""

    name = "sentinel"

    def __init__(self, target: Target) -> None:
        self._target = target

    def instances(self) -> list[Instance]:
        """Its servers, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """active; "" when it does not answer."""
        return "active" if self.masters(instance) else ""

    def healthy(self, instance: Instance) -> bool:
        """Whether it answers and calls no master down."""
        masters = self.masters(instance)
        return bool(masters) and all(master["flags"] == "master" for master in masters.values())

    def redundant(self) -> Redundancy:
        """Each Sentinel knows all the others and sees, in every set, the server that itself says master, up."""
        real = {f"set-{number}": masters for number, masters in Redis(self._target).masters().items()}
        everyone = self.instances()
        faults = []
        for instance in everyone:
            seen = self.masters(instance)
            for name, masters in real.items():
                if fault := _disagrees(seen.get(name), masters, len(everyone) - 1):
                    faults.append(f"{instance.name}, {name}: {fault}")
        return Redundancy(not faults, "; ".join(faults) or f"{len(everyone)} Sentinels agree")

    def client(self, instance: Instance | None = None) -> Connection:
        """A client of one Sentinel, the first by default."""
        chosen = instance or self.instances()[0]
        return connection(chosen.address, chosen.port, password=None)

    def version(self) -> str:
        """Version of the server."""
        return first_answer(self.name, self.instances(), lambda instance: version(self.client(instance)))

    def bound(self) -> Bound:
        """PlatformError: what the Sentinels take is part of Redis's formula."""
        raise no_formula(self.name)

    def masters(self, instance: Instance) -> dict[str, dict[str, str]]:
        """SENTINEL MASTERS by name of the set, as the Sentinel words it; empty when it does not answer."""
        try:
            with self.client(instance) as asked:
                return {master["name"]: master for master in map(_fields, _raw_masters(asked))}
        except RedisError:
            return {}


def _raw_masters(asked: Connection) -> list[Any]:
    # without redis-py's parser, which drops or renames fields from version to version
    asked.response_callbacks.pop("SENTINEL MASTERS", None)
    return list(asked.execute_command("SENTINEL MASTERS"))


def _fields(answer: Any) -> dict[str, str]:
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))


def _disagrees(seen: dict[str, str] | None, masters: list[Instance], others: int) -> str:
    """What is wrong with one Sentinel's view of one set; empty when nothing is."""
    if seen is None:
        return "not watched, or no answer"
    if len(masters) != 1 or not masters[0].is_at(seen["ip"]):
        return f"takes {seen['ip']} for master, it is {[master.address for master in masters]}"
    if seen["flags"] != "master":
        return f"calls the master {seen['flags']}"
    if int(seen["num-other-sentinels"]) != others:
        return f"knows {seen['num-other-sentinels']} other Sentinels of {others}"
    return ""
