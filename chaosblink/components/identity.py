"""Identity: ZITADEL (or its stand-in); every node ready, reached through the edge."""

from __future__ import annotations

import re

import httpx

from chaosblink.components import edge, https
from chaosblink.components.protocol import PATIENCE_S, Bound, Redundancy, first_answer
from chaosblink.targets import Instance, Target

HOST = "identity.blinkchamber.test"


class Identity:
    """Asks each node's readiness endpoint, which says no (412) while its database is away."""

    name = "identity"

    def __init__(self, target: Target) -> None:
        self._target = target

    def instances(self) -> list[Instance]:
        """Its nodes, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """active when ready, waiting when up but not ready; "" when it does not answer."""
        try:
            code = httpx.get(f"http://{instance.address}:{instance.port}/debug/ready", timeout=PATIENCE_S).status_code
        except httpx.HTTPError:
            return ""
        return "active" if code == 200 else "waiting"

    def healthy(self, instance: Instance) -> bool:
        """Whether the node is ready."""
        return self.role(instance) == "active"

    def redundant(self) -> Redundancy:
        """Every node is ready."""
        waiting = [
            f"{i.name} {role or 'does not answer'}" for i in self.instances() if (role := self.role(i)) != "active"
        ]
        return Redundancy(not waiting, "; ".join(waiting) or f"{len(self.instances())} nodes ready")

    def client(self, instance: Instance | None = None) -> httpx.Client:
        """An HTTP client through the edge, or of one node."""
        if instance:
            return httpx.Client(base_url=f"http://{instance.address}:{instance.port}", timeout=PATIENCE_S)
        return https.client(self._target, *self._target.endpoint(self.name), host=HOST)

    def version(self) -> str:
        """Version of the server, as it says itself."""
        return first_answer(self.name, self.instances(), self._version)

    def bound(self) -> Bound:
        """See `bound`."""
        return bound(self._target)

    def _version(self, instance: Instance) -> str:
        # ZITADEL tells its version to nobody who is not logged in; the stand-in must never be taken for it
        try:
            with self.client(instance) as asked:
                metrics = asked.get("/debug/metrics").raise_for_status().text
        except httpx.HTTPError:
            return ""
        cost = re.search(r"^zitadel_standin_bcrypt_cost ([0-9.]+)", metrics, re.MULTILINE)
        return f"ZITADEL stand-in, bcrypt cost {float(cost[1]):g}" if cost else "ZITADEL, version not told"


def bound(target: Target) -> Bound:
    """How long the edge may go on choosing a dead node: until its health check has failed often enough."""
    leaves = edge.leave_ms(target)
    return Bound(leaves, "edge: check interval + (fall - 1) x fast interval", {"edge_ms": leaves})
