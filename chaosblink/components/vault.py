"""Vault: OpenBao or Vault servers on Raft; one leader, every other a standby that votes."""

from __future__ import annotations

import re
from typing import Any

import httpx
import hvac

from chaosblink.components import edge, https
from chaosblink.components.protocol import PATIENCE_S, Bound, Redundancy, first_answer
from chaosblink.targets import Instance, PlatformError, Target

HOST = "vault.blinkchamber.test"


class Vault:
    """Asks each server's unauthenticated health endpoint; who votes needs the role `chaos`."""

    name = "vault"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._token = ""

    def instances(self) -> list[Instance]:
        """Its servers, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """leader, standby or sealed; "" when it does not answer."""
        health = self._health(instance)
        if not health:
            return ""
        if health["sealed"] or not health["initialized"]:
            return "sealed"
        return "standby" if health["standby"] else "leader"

    def healthy(self, instance: Instance) -> bool:
        """Whether the server is unsealed, as leader or as standby."""
        return self.role(instance) in ("leader", "standby")

    def redundant(self) -> Redundancy:
        """One leader, every server unsealed, and every server a voter Raft's autopilot calls healthy."""
        roles = {instance.name: self.role(instance) for instance in self.instances()}
        leaders = [name for name, role in roles.items() if role == "leader"]
        away = [f"{name} {role or 'does not answer'}" for name, role in roles.items() if role in ("", "sealed")]
        if away or len(leaders) != 1:
            return Redundancy(False, "; ".join([*away, f"leaders: {', '.join(leaders) or 'none'}"]))
        leader = next(instance for instance in self.instances() if instance.name == leaders[0])
        try:
            return _voters(self._autopilot(leader), list(roles))
        except (hvac.exceptions.VaultError, OSError) as error:  # requests' errors are OSErrors
            self._token = ""
            return Redundancy(False, f"{leader.name} did not tell who votes: {type(error).__name__}")

    def client(self, instance: Instance | None = None) -> hvac.Client:
        """An hvac client without a token, through the edge or of one server."""
        if instance:
            return self._hvac(instance.address, instance.port)
        return self._hvac(*self._target.endpoint(self.name))

    def version(self) -> str:
        """Version of the server."""
        return first_answer(self.name, self.instances(), lambda i: str(self._health(i).get("version", "")))

    def bound(self) -> Bound:
        """See `bound`."""
        return bound(self._target)

    def _hvac(self, address: str, port: int) -> hvac.Client:
        opened = hvac.Client(f"https://{address}:{port}", verify=str(self._target.ca_file), timeout=PATIENCE_S)
        opened.session.headers["Host"] = HOST
        opened.session.mount("https://", https.Named(HOST))
        return opened

    def _health(self, instance: Instance) -> dict[str, Any]:
        # the codes ask for a 200 in every state; the body says which
        always = {"standbyok": "true", "sealedcode": "200", "uninitcode": "200", "activecode": "200"}
        try:
            with https.client(self._target, instance.address, instance.port, host=HOST) as asked:
                answer: dict[str, Any] = asked.get("/v1/sys/health", params=always).raise_for_status().json()
                return answer
        except (httpx.HTTPError, ValueError):
            return {}

    def _autopilot(self, leader: Instance) -> dict[str, Any]:
        asked = self.client(leader)
        if not self._token:
            login = asked.auth.approle.login(
                role_id=self._target.secret("chaos-role-id"), secret_id=self._target.secret("chaos-secret-id")
            )
            self._token = login["auth"]["client_token"]
        asked.token = self._token
        answer = asked.read("sys/storage/raft/autopilot/state")
        return answer["data"] if answer else {}


def _voters(state: dict[str, Any], expected: list[str]) -> Redundancy:
    voters = set(state.get("voters") or [])
    servers = state.get("servers") or {}
    ill = sorted(name for name, server in servers.items() if not server.get("healthy"))
    missing = sorted(set(expected) - voters)
    if missing or ill or not state.get("healthy"):
        return Redundancy(False, f"not voting: {missing or 'none'}; unhealthy in autopilot's eyes: {ill or 'none'}")
    return Redundancy(True, f"{len(voters)} voters, leader {state.get('leader')}")


TAKEOVER_MS = 1000.0
"""From winning the election to answering writes: the new leader loads keys, mounts and leases (0.2 s on this data)."""


def bound(target: Target) -> Bound:
    """Raft notices (heartbeat timeout, drawn from one to two times), then two elections (each drawn alike), takeover,
    and the edge's check. Source of the draws: hashicorp/raft, `randomTimeout`.
    """
    heartbeat, election = (_raft_timeout(target, name) for name in ("HeartbeatTimeout", "ElectionTimeout"))
    follows = edge.follow_ms(target)
    return Bound(
        2 * heartbeat + 2 * 2 * election + TAKEOVER_MS + follows,
        "2 x heartbeat timeout + 2 elections x 2 x election timeout + takeover + edge check",
        {"heartbeat_ms": heartbeat, "election_ms": election, "takeover_ms": TAKEOVER_MS, "edge_ms": follows},
    )


def _raft_timeout(target: Target, name: str) -> float:
    """The slowest of the servers' live settings, ms, from what each logged (in ns) when it last made its Raft.

    Heartbeat and election timeout are twice the leader lease (raft's DefaultConfig, all scaled by one multiplier), but
    a server starts with three times that and returns to it by itself after two heartbeat timeouts, or as soon as it is
    candidate or leader (OpenBao, physical/raft/raft.go, `initialTimeoutMultiplier`); it logs only the first.
    """
    found = []
    for instance in target.instances("vault"):
        logged = re.findall(rf"creating Raft:.*?{name}:(\d+).*?LeaderLeaseTimeout:(\d+)", target.log(instance))
        if not logged:
            raise PlatformError(f"{instance.name} has not logged its Raft {name}: the outage bound is unknown")
        timeout, lease = (int(number) for number in logged[-1])
        found.append((timeout / 3 if timeout == 6 * lease else timeout) / 1e6)
    return max(found)
