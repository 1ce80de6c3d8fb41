"""The four experiments of a synthetic run: who dies, who takes over, which clients watch, how long it usually takes."""

from __future__ import annotations

from dataclasses import dataclass

MS = 1_000_000
SECOND = 1_000 * MS


@dataclass(frozen=True)
class Scenario:
    """One experiment as a synthetic run tells it; `outage` is (shortest, longest) in ms, `bound` the live formula's."""

    name: str
    title: str
    component: str
    selector: str
    victim: str
    successor: str
    roles: tuple[str, str]
    outage: tuple[float, float]
    redundant: tuple[float, float]
    bound: tuple[float, str]
    logins_fail: bool = False


VAULT = Scenario(
    "vault-leader-kill",
    "The Vault leader is killed",
    "vault",
    "vault/leader",
    "vault-0",
    "vault-2",
    ("leader", "standby"),
    (2400, 5400),
    (4000, 9000),
    (7600.0, "heartbeat + 2 elections x 2 + post-unseal"),
)
POSTGRESQL = Scenario(
    "postgresql-primary-kill",
    "The PostgreSQL primary is killed",
    "postgresql",
    "postgresql/primary",
    "postgresql-0",
    "postgresql-1",
    ("primary", "standby"),
    (4200, 7400),
    (9000, 21000),
    (11200.0, "reconnect_attempts x reconnect_interval + promotion + PgPool sr_check_period + health check"),
    logins_fail=True,
)
REDIS = Scenario(
    "redis-master-kill",
    "A Redis master is killed",
    "redis",
    "redis/master@2",
    "redis-master-1",
    "redis-replica-1",
    ("master", "replica"),
    (2200, 3900),
    (4300, 5400),
    (5200.0, "down-after-milliseconds + election + promotion + min-replicas lag"),
)
IDENTITY = Scenario(
    "identity-node-kill",
    "An identity node is killed",
    "identity",
    "identity/any",
    "identity-1",
    "identity-0",
    ("active", "active"),
    (0, 0),
    (2500, 6000),
    (1000.0, "edge health check interval x fall"),
)
SCENARIOS = {scenario.name: scenario for scenario in (VAULT, POSTGRESQL, REDIS, IDENTITY)}

INSTANCES: dict[str, list[str]] = {
    "vault": ["vault-0", "vault-1", "vault-2"],
    "postgresql": ["postgresql-0", "postgresql-1", "postgresql-2"],
    "pgpool": ["pgpool-0", "pgpool-1"],
    "redis": [f"redis-{kind}-{n}" for n in range(3) for kind in ("master", "replica")],
    "sentinel": ["sentinel-0", "sentinel-1", "sentinel-2"],
    "identity": ["identity-0", "identity-1"],
    "edge": ["edge-0"],
}
STORES: dict[str, list[str]] = {
    "postgresql": INSTANCES["postgresql"],
    "vault": INSTANCES["vault"],
    "redis-1": ["redis-master-0", "redis-replica-0"],
    "redis-2": ["redis-master-1", "redis-replica-1"],
    "redis-3": ["redis-master-2", "redis-replica-2"],
}
LATENCY_MS = {"postgresql": 3.0, "vault": 4.0, "redis-1": 0.5, "redis-2": 0.5, "redis-3": 0.5, "login": 110.0}
VIEWERS = {"vault": ["vault-1", "vault-2"], "postgresql": INSTANCES["pgpool"], "redis": INSTANCES["sentinel"]}


def store_under_fault(scenario: Scenario) -> str:
    """`redis/master@2` -> `redis-2`; the component itself for the others."""
    return f"redis-{scenario.selector[-1]}" if scenario.component == "redis" else scenario.component


def leader_roles(component: str) -> tuple[str, str]:
    """The words a component uses for its leader and for the rest."""
    words = {"vault": ("leader", "standby"), "postgresql": ("primary", "standby"), "redis": ("master", "replica")}
    return words.get(component, ("active", "active"))


def paths_of(scenario: Scenario) -> dict[str, dict[str, object]]:
    """`paths` of round.json: 10 ms and 25 or 50 ms in focus, 100 ms for bystanders, 5 logins a second."""
    paths: dict[str, dict[str, object]] = {}
    for store in STORES:
        focus = store == store_under_fault(scenario)
        fresh = 50 if store == "postgresql" else 25
        paths[f"{store}/persistent"] = {"interval_ms": 10 if focus else 100, "deadline_ms": 2000, "focus": focus}
        if focus:
            paths[f"{store}/fresh"] = {"interval_ms": fresh, "deadline_ms": 2000, "focus": True}
    paths["login"] = {"interval_ms": 200, "deadline_ms": 5000, "focus": True}
    return paths
