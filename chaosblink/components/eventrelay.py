"""Event relay: one instance active, the others standing by, and the consumer that empties the lists."""

from __future__ import annotations

from typing import Any

import httpx

from chaosblink.components.protocol import PATIENCE_S, Bound, Redundancy, first_answer
from chaosblink.targets import Instance, PlatformError, Target

CONSUMER = "consumer"
RESTART_MS = 3000.0
"""A dead instance is restarted at once, but a Python program with its libraries takes 1 to 3 s on a busy machine."""
DELIVERY_MS = 500.0
"""Work on the batches that came together meanwhile: a transaction of 100 events takes 10 to 20 ms."""


class Eventrelay:
    """Asks each instance for its status over HTTP."""

    name = "eventrelay"

    def __init__(self, target: Target) -> None:
        self._target = target

    def instances(self) -> list[Instance]:
        """Its relays and consumers, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """active, standby or consumer; waiting while it has no database or no Redis; "" when it does not answer."""
        return str(self.status(instance).get("role", ""))

    def healthy(self, instance: Instance) -> bool:
        """Whether it did its work lately, by its own words."""
        return bool(self.status(instance).get("healthy"))

    def redundant(self) -> Redundancy:
        """One relay is active, every other stands by, and every consumer works."""
        roles = {instance.name: self.role(instance) for instance in self.instances()}
        active = [name for name, role in roles.items() if role == "active"]
        idle = [f"{name} {role or 'does not answer'}" for name, role in roles.items() if role not in WORKING]
        if idle or len(active) != 1:
            return Redundancy(False, "; ".join([*idle, f"active: {', '.join(active) or 'none'}"]))
        consumers = sum(role == CONSUMER for role in roles.values())
        others = len(roles) - consumers - 1
        return Redundancy(True, f"{active[0]} active, {others} standing by, {consumers} consuming")

    def client(self, instance: Instance | None = None) -> httpx.Client:
        """An HTTP client of one instance, the first by default; what it relays is in Redis."""
        chosen = instance or self.instances()[0]
        return httpx.Client(base_url=f"http://{chosen.address}:{chosen.port}", timeout=PATIENCE_S)

    def version(self) -> str:
        """Version of the relay."""
        return first_answer(self.name, self.instances(), lambda one: str(self.status(one).get("version", "")))

    def bound(self) -> Bound:
        """See `bound`."""
        return bound(self._target)

    def status(self, instance: Instance) -> dict[str, Any]:
        """What it says of itself; empty when it does not answer."""
        try:
            with self.client(instance) as asked:
                told: dict[str, Any] = asked.get("/status").raise_for_status().json()
                return told
        except (httpx.HTTPError, ValueError):
            return {}


WORKING = ("active", "standby", CONSUMER)
BOUNDING = ("lease_ms", "ask_ms", "poll_ms", "batch_ms")


def bound(target: Target) -> Bound:
    """How late an event may arrive when a relay or a consumer dies; the settings are those every instance tells now.

    A standby takes over when the lease has expired and it asks next; a consumer is restarted under its name and goes on
    at once. The event then waits for its batch, for the relay's next look and for the consumer's.
    """
    component = Eventrelay(target)
    told = {instance.name: component.status(instance).get("settings") for instance in component.instances()}
    silent = [name for name, settings in told.items() if not settings]
    if silent or not told:
        raise PlatformError(f"{', '.join(silent) or 'no event relay'} did not tell its settings: the bound is unknown")
    live = {
        name: max(float(s[name]) for s in told.values() if s) for name in ("lease_ms", "ask_ms", "poll_ms", "batch_ms")
    }
    away = max(live["lease_ms"] + live["ask_ms"], RESTART_MS)
    return Bound(
        away + live["batch_ms"] + 2 * live["poll_ms"] + DELIVERY_MS,
        "longer of (lease + standby's question) and restart, + batch timeout + relay's and consumer's poll + delivery",
        {**live, "restart_ms": RESTART_MS, "delivery_ms": DELIVERY_MS},
    )
