"""Edge: HAProxy, the one TLS entrance in front of identity and Vault, and the way to PgPool and Redis."""

from __future__ import annotations

import re

import httpx

from chaosblink.components import https
from chaosblink.components.protocol import PATIENCE_S, Bound, Redundancy, first_answer, no_formula
from chaosblink.targets import Instance, PlatformError, Target

METRICS_PORT = 8404
HOST = "identity.blinkchamber.test"


class Edge:
    """Asks each instance for a page over TLS; whether a server behind it answers is another component's matter."""

    name = "edge"

    def __init__(self, target: Target) -> None:
        self._target = target

    def instances(self) -> list[Instance]:
        """Its servers, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """active; "" when it does not answer."""
        try:
            with self.client(instance) as asked:
                asked.get("/debug/healthz")
        except httpx.HTTPError:
            return ""
        return "active"

    def healthy(self, instance: Instance) -> bool:
        """Whether it speaks HTTP over TLS with a certificate of the platform's CA."""
        return self.role(instance) == "active"

    def redundant(self) -> Redundancy:
        """Every instance answers; with one instance that is all there is, and the answer says so."""
        away = [instance.name for instance in self.instances() if not self.healthy(instance)]
        count = len(self.instances())
        return Redundancy(not away, f"no answer: {', '.join(away)}" if away else f"{count} answer{'s' * (count == 1)}")

    def client(self, instance: Instance | None = None) -> httpx.Client:
        """An HTTP client of the entrance, or of one instance."""
        address = (instance.address, instance.port) if instance else self._target.endpoint("identity")
        return https.client(self._target, *address, host=HOST)

    def version(self) -> str:
        """Version of HAProxy, from its exporter."""

        def question(instance: Instance) -> str:
            try:
                metrics = httpx.get(f"http://{instance.address}:{METRICS_PORT}/metrics", timeout=PATIENCE_S).text
            except httpx.HTTPError:
                return ""
            found = re.search(r'haproxy_process_build_info\{version="([^"]+)"', metrics)
            return found[1] if found else ""

        return first_answer(self.name, self.instances(), question)

    def bound(self) -> Bound:
        """PlatformError: what the edge adds is part of the formulas of what stands behind it."""
        raise no_formula(self.name)


NEVER_MS = 3_600_000.0
"""Stands for "never follows" where active checks are switched off: an hour, above every promise, and valid JSON."""


def follow_ms(target: Target) -> float:
    """How long until a server that became able to serve gets traffic: `downinter` x `rise` of the edge's checks."""
    checks = _checks(target)
    return checks["downinter"] * checks["rise"] if checks else NEVER_MS


def leave_ms(target: Target) -> float:
    """How long until a dead server gets no more traffic: `inter`, then `fastinter` until `fall` checks have failed.

    Source: HAProxy configuration manual, section 5.2, "inter"; a killed server refuses the check at once.
    """
    checks = _checks(target)
    return checks["inter"] + (checks["fall"] - 1) * checks["fastinter"] if checks else NEVER_MS


def _checks(target: Target) -> dict[str, float]:
    """The `default-server` line of the files the edge was started with, times in ms; empty without active checks.

    HAProxy tells none of these at run time: neither its statistics nor its exporter has the intervals.
    """
    if str(target.settings["edge"]["env"].get("EDGE_HEALTH_CHECKS", "true")) == "false":
        return {}
    place = target.state / "files" / "edge" / "haproxy.cfg"
    try:
        words = re.search(r"^\s*default-server (.*)$", place.read_text(), re.MULTILINE)
    except OSError as error:
        raise PlatformError(f"the edge's configuration cannot be read: {error}") from None
    found = re.findall(r"(inter|fastinter|downinter|fall|rise) (\d+)(ms|s)?", words[1] if words else "")
    checks = {name: float(number) * (1000 if unit == "s" else 1) for name, number, unit in found}
    if missing := {"inter", "fastinter", "downinter", "fall", "rise"} - set(checks):
        raise PlatformError(f"the edge's default-server line does not set {', '.join(sorted(missing))}")
    return checks
