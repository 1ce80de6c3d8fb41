"""What the workload process is told: its paths, the routes to the platform and the files that hold secrets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaosblink.targets import Instance, name_at
from chaosblink.workloads.following import current


@dataclass(frozen=True, slots=True)
class PathSpec:
    """One path of the history: an operation is due every `interval_ms`, and each has `deadline_ms` from its start.

    `path` is one of `postgresql/persistent`, `postgresql/fresh`, `vault/persistent`, `vault/fresh`,
    `redis-<set>/persistent`, `redis-<set>/fresh`, `redis-<set>/read`, `redis-master/fresh` (through the edge), `login`,
    `eventrelay/persistent` (login and PostgreSQL routes).
    `connections` bounds the kept connections of a persistent path.
    """

    path: str
    interval_ms: float
    deadline_ms: float
    connections: int = 8


@dataclass(frozen=True, slots=True)
class PostgresqlRoute:
    """PostgreSQL as clients reach it (edge or PgPool); final reads go to each instance with the same user.

    In every route, `address` may be several, separated by commas: the next is tried where one refuses.
    """

    address: str
    port: int
    password_file: str
    user: str = "chaos"
    database: str = "chaos"


@dataclass(frozen=True, slots=True)
class VaultRoute:
    """Vault as clients reach it; `host` goes into SNI, certificate check and Host header. One value an AppRole file."""

    address: str
    port: int
    ca_file: str
    role_id_file: str
    secret_id_file: str
    host: str = "vault.blinkchamber.test"


@dataclass(frozen=True, slots=True)
class RedisRoute:
    """Redis: masters are found by asking the Sentinels among `instances` for `set-<n>`; `edge_*` is `redis-master`."""

    password_file: str
    sentinel_password_file: str = ""
    edge_address: str = ""
    edge_port: int = 6379


@dataclass(frozen=True, slots=True)
class LoginRoute:
    """The identity as a browser reaches it; users are `user-0@...` to `user-<users - 1>@...`, one password for all."""

    address: str
    port: int
    ca_file: str
    password_file: str
    login_client_token_file: str
    host: str = "identity.blinkchamber.test"
    client_id: str = "blinkchamber-login"
    redirect_uri: str = "https://app.blinkchamber.test/callback"
    user_domain: str = "blinkchamber.test"
    users: int = 100


@dataclass(frozen=True, slots=True)
class EventsRoute:
    """ZITADEL's event store, for the final read of all events since `since` (s, the database's wall clock)."""

    address: str
    port: int
    password_file: str
    since: float
    user: str = "zitadel"
    database: str = "zitadel"


@dataclass(frozen=True, slots=True)
class Spec:
    """All of one workload process. `run` must be new for every round: it is the key under which ids are stored.

    `folder` (the round's) receives `history.jsonl` and `timeline.jsonl`. A route may be None when no path needs it.
    `instances` names every server of the platform: it maps addresses to names and is what final reads go to.
    """

    run: str
    folder: str
    paths: list[PathSpec]
    instances: list[Instance]
    postgresql: PostgresqlRoute | None = None
    vault: VaultRoute | None = None
    redis: RedisRoute | None = None
    login: LoginRoute | None = None
    final_read_deadline_s: float = 60.0
    book: str = ""
    """File with the present instances (see chaosblink/workloads/following.py); empty where they never move."""

    def of(self, component: str) -> list[Instance]:
        """The instances of one component, in the order given."""
        return current(self.instances, component)

    def name_of(self, component: str, address: str) -> str:
        """The instance of a component that is at this address or host name; the address itself when none is."""
        return name_at((i for i in self.instances if i.component == component), address)

    def write(self, path: Path) -> Path:
        """Write as JSON (it holds no secrets, only names of their files)."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        return path


_ROUTES: dict[str, type] = {
    "postgresql": PostgresqlRoute,
    "vault": VaultRoute,
    "redis": RedisRoute,
    "login": LoginRoute,
}


def read_spec(path: Path) -> Spec:
    """A spec from its JSON file; TypeError or KeyError names a field that is unknown or missing."""
    given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, route in _ROUTES.items():
        if given.get(name) is not None:
            given[name] = route(**given[name])
    given["paths"] = [PathSpec(**item) for item in given["paths"]]
    given["instances"] = [Instance(**item) for item in given["instances"]]
    return Spec(**given)


def secret(path: str) -> str:
    """The value in a secret file, without its trailing newline; OSError when it cannot be read."""
    return Path(path).read_text(encoding="utf-8").strip("\n")
