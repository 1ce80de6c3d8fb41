"""Which clients a round has and at what rate: full rate on the component under fault, slower on the bystanders."""

from __future__ import annotations

from pathlib import Path

from chaosblink.observer.spec import ObserverSpec, Processes
from chaosblink.targets import Target
from chaosblink.workloads.spec import LoginRoute, PathSpec, PostgresqlRoute, RedisRoute, Spec, VaultRoute

# Intervals of measuring rule 2, ms. A fresh PostgreSQL connection costs a server process, hence 50. A Vault write is
# three fsynced Raft commits: at 10 and 25 ms the three nodes alone took 0.9 of two cores and a write 70 ms (median),
# so that the clients were the fault (rule 11); at 25 and 50 ms they take 0.7 and a write 16 ms.
PERSISTENT, FRESH, FRESH_POSTGRESQL, LOGIN, BYSTANDER = 10, 25, 50, 200, 200
PERSISTENT_VAULT, FRESH_VAULT = 25, 50
DEADLINE, LOGIN_DEADLINE = 1000, 5000


def focus_paths(component: str, redis_set: int) -> list[PathSpec]:
    """Paths of the component under fault, at full rate; none for identity, whose path is the login."""
    kinds: tuple[tuple[str, int], ...]
    match component:
        case "postgresql":
            kinds = (("postgresql/persistent", PERSISTENT), ("postgresql/fresh", FRESH_POSTGRESQL))
        case "vault":
            kinds = (("vault/persistent", PERSISTENT_VAULT), ("vault/fresh", FRESH_VAULT))
        case "redis":
            kinds = ((f"redis-{redis_set}/persistent", PERSISTENT), (f"redis-{redis_set}/fresh", FRESH))
        case _:
            kinds = ()
    return [PathSpec(path, interval, DEADLINE) for path, interval in kinds]


def bystander_paths(focus: list[PathSpec]) -> list[PathSpec]:
    """A slow persistent writer on every store that is not under fault."""
    stores = {path.path.split("/")[0] for path in focus}
    others = [store for store in ("postgresql", "vault", "redis-1", "redis-2", "redis-3") if store not in stores]
    return [PathSpec(f"{store}/persistent", BYSTANDER, DEADLINE, connections=4) for store in others]


def login_path() -> PathSpec:
    """The open-loop login, five a second."""
    return PathSpec("login", LOGIN, LOGIN_DEADLINE)


def workload(target: Target, run: str, folder: Path, paths: list[PathSpec]) -> Spec:
    """The specification of one workload process."""
    vault_address, vault_port = target.endpoint("vault")
    database_address, database_port = target.endpoint("postgresql")
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
        redis=RedisRoute(str(target.secret_file("redis-password"))),
        login=login_route(target),
    )


def login_route(target: Target) -> LoginRoute:
    """How a browser reaches the identity."""
    address, port = target.endpoint("identity")
    return LoginRoute(
        address,
        port,
        str(target.ca_file),
        str(target.secret_file("user-password")),
        str(target.secret_file("login-client-token")),
        users=int(target.settings["zitadel"]["env"]["SEED_USERS"]),
    )


def observer(target: Target, folder: Path, focus: list[str]) -> ObserverSpec:
    """The specification of one observer process."""
    return ObserverSpec(
        folder=str(folder),
        focus=focus,
        instances=target.instances(),
        processes={i.name: Processes(netns=f"/run/netns/{i.node}") for i in target.instances()},
        ca_file=str(target.ca_file),
        redis_password_file=str(target.secret_file("redis-password")),
        postgresql_password_file=str(target.secret_file("chaos-password")),
        others_hz=1.0,
    )
