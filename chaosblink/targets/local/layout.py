"""Which instances a local platform has, where each one lives and what its start script is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chaosblink.targets import Instance, PlatformError

ROOT = Path(__file__).resolve().parents[3]
"""The checkout: the suite runs from one, since `platform/` belongs to it and is not part of the library."""
CHART = ROOT / "platform" / "chart"

IDENTITY_HOST = "identity.blinkchamber.test"
VAULT_HOST = "vault.blinkchamber.test"
EDGE_HOST = "edge.ingress.svc.cluster.local"
REDIS_HOST = "redis-master.database.svc.cluster.local"
"""What servers call the edge, and the address that follows set 1's master: names with one address an edge instance."""


@dataclass(frozen=True, slots=True)
class Group:
    """Instances alike: `stem` with an ordinal is the name, `first` the last octet of the first address."""

    component: str
    stem: str
    replicas: str
    """Dotted key of the number of instances in the values."""
    env: str
    """Dotted key of the environment in the values."""
    first: int
    port: int
    secrets: tuple[str, ...] = ()
    user: str = ""
    """System user the start script drops to when it starts as root; empty: the user who called."""


GROUPS = (
    Group("edge", "edge", "edge.replicaCount", "edge.env", 10, 443, ("redis-password",), "haproxy"),
    Group("identity", "identity", "zitadel.replicaCount", "zitadel.env", 20, 8080),
    Group("vault", "vault", "vault.server.ha.replicas", "vault.env", 30, 8200, ("seal-key",)),
    Group(
        "postgresql",
        "postgresql",
        "postgresql-ha.postgresql.replicaCount",
        "postgresql-ha.postgresql.env",
        40,
        5432,
        ("postgres-password", "repmgr-password", "zitadel-password", "chaos-password", "pgpool-password"),
        "postgres",
    ),
    Group(
        "pgpool",
        "pgpool",
        "postgresql-ha.pgpool.replicaCount",
        "postgresql-ha.pgpool.env",
        50,
        5432,
        ("postgres-password", "repmgr-password", "zitadel-password", "chaos-password", "pgpool-password"),
        "postgres",
    ),
    Group("redis", "redis-master", "redis.master.replicaCount", "redis.env", 60, 6379, ("redis-password",), "redis"),
    Group("redis", "redis-replica", "redis.replica.replicaCount", "redis.env", 70, 6379, ("redis-password",), "redis"),
    Group(
        "sentinel",
        "sentinel",
        "redis.sentinel.replicaCount",
        "redis.sentinel.env",
        80,
        26379,
        ("redis-password",),
        "redis",
    ),
    Group(
        "eventrelay",
        "eventrelay",
        "eventrelay.replicaCount",
        "eventrelay.env",
        90,
        9464,
        ("zitadel-password", "redis-password"),
    ),
    Group(
        "eventrelay",
        "eventconsumer",
        "eventrelay.consumer.replicaCount",
        "eventrelay.env",
        95,
        9464,
        ("chaos-password", "redis-password"),
    ),
)
COMPONENTS = tuple(dict.fromkeys(group.component for group in GROUPS))


def load_values(overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """The chart's values with `dotted.key=value` overrides; PlatformError for a key the values do not know.

    Keys below an `env` map may be new, since start scripts have more variables than the values spell out.
    """
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise PlatformError(f"--set {override}: write it as dotted.key=value")
        *parents, leaf = key.split(".")
        place = _descend(values, parents, key)
        if leaf not in place and (not parents or parents[-1] != "env"):
            raise PlatformError(f"--set {key}: no such value; see platform/chart/values.yaml")
        place[leaf] = text if parents and parents[-1] == "env" else yaml.safe_load(text)
    return values


def value(values: dict[str, Any], dotted: str) -> Any:
    """The value at a dotted key."""
    *parents, leaf = dotted.split(".")
    return _descend(values, parents, dotted)[leaf]


def _descend(values: dict[str, Any], parents: list[str], key: str) -> dict[str, Any]:
    place = values
    for parent in parents:
        if not isinstance(place.get(parent), dict):
            raise PlatformError(f"--set {key}: no such value; see platform/chart/values.yaml")
        place = place[parent]
    return place


@dataclass(frozen=True, slots=True)
class Layout:
    """A platform on paper: its name, its values, the prefix of its addresses and whether it has namespaces."""

    name: str
    values: dict[str, Any]
    prefix: str
    """First three octets: `198.18.0`."""
    namespaces: bool

    @property
    def network(self) -> str:
        """Where clients come from: on loopback a client without an address of its own is 127.0.0.1."""
        return f"{self.prefix}.0/24" if self.namespaces else "127.0.0.0/8"

    def instances(self, component: str | None = None) -> list[Instance]:
        """All instances, or those of one component, in order of name."""
        found = [
            self._instance(group, ordinal)
            for group in GROUPS
            if component in (None, group.component)
            for ordinal in range(int(value(self.values, group.replicas)))
        ]
        return sorted(found, key=lambda instance: instance.name)

    def _instance(self, group: Group, ordinal: int) -> Instance:
        name = f"{group.stem}-{ordinal}"
        node = f"{self.name}-{name}" if self.namespaces else name
        return Instance(
            name, group.component, ordinal, f"{self.prefix}.{group.first + ordinal}", self.port(group), node
        )

    def port(self, group: Group) -> int:
        """The edge's TLS port moves to 8443 where it may not bind below 1024."""
        return 8443 if group.component == "edge" and not self.namespaces and os.geteuid() else group.port

    def listed(self, component: str, stem: str = "") -> str:
        """`name=address name=address`, the form in which start scripts are told of instances."""
        chosen = [i for i in self.instances(component) if i.name.startswith(stem)]
        return " ".join(f"{instance.name}={instance.address}" for instance in chosen)

    def redis_set(self, number: int) -> list[Instance]:
        """The master and replica (by name, not by role) of a set, counted from 1."""
        return [i for i in self.instances("redis") if i.ordinal == number - 1]

    @property
    def edges(self) -> list[Instance]:
        """Where clients connect: any of these."""
        return self.instances("edge")


def group_of(instance: Instance) -> Group:
    """The group an instance belongs to."""
    return next(g for g in GROUPS if instance.name == f"{g.stem}-{instance.ordinal}")
