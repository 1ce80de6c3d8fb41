"""Which clients a round has and at what rate: full rate on the component under fault, slower on the bystanders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chaosblink.history import BEHIND, EDGE_REDIS
from chaosblink.observer.spec import AgentCpu, ObserverSpec, Processes
from chaosblink.targets import Target, entrance
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.workloads.spec import EventsRoute, LoginRoute, PathSpec, PostgresqlRoute, RedisRoute, Spec, VaultRoute

# Intervals, ms: measuring rule 2 and its table in docs/measuring.md. Redis's are the rule's own. A PostgreSQL or Vault
# write costs this machine so much (a commit on two servers, three fsynced Raft entries) that at 10 and 25 ms the
# writers filled both cores and were the fault themselves (rule 11).
PERSISTENT = {"redis": 10, "postgresql": 20, "vault": 25}
FRESH = {"redis": 25, "postgresql": 100, "vault": 50}
LOGIN, BYSTANDER, READ = 200, 200, 50
DEADLINE, LOGIN_DEADLINE = 2000, 5000
EVENT, EVENT_DEADLINE = 200, 20000


CLUSTER_PACE = 2
"""In a cluster every interval is twice as long and half as many people log in. On kind all nodes share two cores, of
which Kubernetes and the idle platform take 0.9; at the local rates the clients filled the rest, and Vault lost its
leader with nothing broken (rule 11)."""

EDGE_PATHS = {"vault/persistent": 100, "vault/fresh": 50, "postgresql/persistent": 100, "postgresql/fresh": 100}
"""All that pass the edge beside the logins, and Redis's entrance there."""


NODE_PATHS = {
    **dict.fromkeys(("postgresql/persistent", "postgresql/fresh", "vault/persistent", "vault/fresh"), 100),
    **{f"redis-{number}/{kind}": 100 for number in (1, 2, 3) for kind in ("persistent", "read")},
}
"""Where a whole node is broken every store is under fault, each at a rate that all of them together can bear."""


def focus_paths(component: str, redis_set: int, whole_node: bool = False) -> list[PathSpec]:
    """Paths of the component under fault, or of the store it stands before, at full rate; none for identity, whose path
    is the login.

    The event relay's path causes an event and waits for its delivery: its deadline is how long an event is watched.
    """
    if whole_node:
        return [PathSpec(path, interval, DEADLINE) for path, interval in NODE_PATHS.items()]
    if component == "eventrelay":
        return [PathSpec("eventrelay/persistent", EVENT, EVENT_DEADLINE)]
    if component == "edge":
        through = {**EDGE_PATHS, f"{EDGE_REDIS}/fresh": 50}
        return [PathSpec(path, interval, DEADLINE) for path, interval in through.items()]
    kind = BEHIND.get(component, component)
    if kind not in PERSISTENT:
        return []
    store = f"redis-{redis_set}" if kind == "redis" else kind
    reads = [PathSpec(f"{store}/read", READ, DEADLINE)] if kind == "redis" else []
    return [
        PathSpec(f"{store}/persistent", PERSISTENT[kind], DEADLINE),
        PathSpec(f"{store}/fresh", FRESH[kind], DEADLINE),
        *reads,
    ]


def bystander_paths(focus: list[PathSpec]) -> list[PathSpec]:
    """A slow persistent writer on every store that is not under fault."""
    stores = {path.path.split("/")[0] for path in focus}
    others = [store for store in ("postgresql", "vault", "redis-1", "redis-2", "redis-3") if store not in stores]
    return [PathSpec(f"{store}/persistent", BYSTANDER, DEADLINE, connections=4) for store in others]


def paced(target: Target, paths: list[PathSpec]) -> list[PathSpec]:
    """The paths at the rate this target can bear."""
    return [replace(path, interval_ms=path.interval_ms * pace(target)) for path in paths]


def pace(target: Target) -> int:
    """By how much every interval is longer than locally, and the load smaller."""
    return CLUSTER_PACE if target.kind == "kubernetes" else 1


def login_path() -> PathSpec:
    """The open-loop login, five a second."""
    return PathSpec("login", LOGIN, LOGIN_DEADLINE)


def workload(target: Target, run: str, folder: Path, paths: list[PathSpec], book: str = "") -> Spec:
    """The specification of one workload process."""
    vault_address, vault_port = entrance(target, "vault")
    database_address, database_port = entrance(target, "postgresql")
    redis_address, redis_port = entrance(target, "redis-master")
    return Spec(
        run=run,
        folder=str(folder),
        paths=paths,
        instances=target.instances(),
        postgresql=PostgresqlRoute(database_address, database_port, str(target.secret_file("chaos-password"))),
        vault=VaultRoute(
            vault_address,
            vault_port,
            str(target.ca_file),
            str(target.secret_file("chaos-role-id")),
            str(target.secret_file("chaos-secret-id")),
        ),
        redis=RedisRoute(str(target.secret_file("redis-password")), edge_address=redis_address, edge_port=redis_port),
        login=login_route(target),
        book=book,
    )


def events_route(target: Target, since: float) -> EventsRoute:
    """How the events of a round are read; `since` is `time.time()` when it began."""
    return EventsRoute(*target.endpoint("postgresql"), str(target.secret_file("zitadel-password")), since)


def login_route(target: Target) -> LoginRoute:
    """How a browser reaches the identity."""
    address, port = entrance(target, "identity")
    return LoginRoute(
        address,
        port,
        str(target.ca_file),
        str(target.secret_file("user-password")),
        str(target.secret_file("login-client-token")),
        users=int(target.settings["zitadel"]["env"]["SEED_USERS"]),
    )


def observer(target: Target, folder: Path, focus: list[str], book: str = "") -> ObserverSpec:
    """The specification of one observer process."""
    return ObserverSpec(
        folder=str(folder),
        focus=focus,
        instances=target.instances(),
        processes={
            instance.name: Processes(**place)
            for instance in target.instances()
            if (place := target.whereabouts(instance))
        },
        book=book,
        agents=agents(target),
        ca_file=str(target.ca_file),
        redis_password_file=str(target.secret_file("redis-password")),
        postgresql_password_file=str(target.secret_file("chaos-password")),
        focus_hz=20.0 / pace(target),
        others_hz=1.0,
        cpu_hz=1.0 if target.kind == "kubernetes" else 4.0,  # an agent reads its whole node for each answer
    )


def agents(target: Target) -> AgentCpu | None:
    """Whom to ask for the CPU of a cluster's pods; None where the processes are on this machine."""
    if not isinstance(target, KubernetesTarget):
        return None
    pods: dict[str, list[dict[str, str]]] = {}
    for instance in target.instances():
        if instance.node:
            pods.setdefault(instance.node, []).append(target.pod_reference(instance))
    credentials = target.credentials()
    components = {instance.name: instance.component for instance in target.instances()}
    addresses = {node: address for node, address in target.agent_addresses().items() if node in pods}
    return AgentCpu(str(credentials.tls), str(credentials.token_file), addresses, pods, components)
