"""PgPool: every instance answers, and all of them take the real primary for the primary."""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg.rows import dict_row

from chaosblink.components.postgresql import Postgresql
from chaosblink.components.protocol import Bound, Redundancy, first_answer, no_formula
from chaosblink.targets import Instance, Target, name_at

UP = ("up", "waiting")
"""`waiting` is a backend that is up and has no client yet (PgPool-II manual, SHOW POOL_NODES)."""


class Pgpool:
    """Asks each PgPool `SHOW pool_nodes` over SQL."""

    name = "pgpool"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._postgresql = Postgresql(target)

    def instances(self) -> list[Instance]:
        """Its servers, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """active; "" when it does not answer."""
        return "active" if self.nodes(instance) else ""

    def healthy(self, instance: Instance) -> bool:
        """Whether it answers and has exactly one primary that is up."""
        return len(self._primaries(instance)) == 1

    def redundant(self) -> Redundancy:
        """Every PgPool answers, has every backend up, and takes the server that says so itself for the primary."""
        servers = self._postgresql.instances()
        real = [server.name for server in servers if self._postgresql.role(server) == "primary"]
        faults = []
        for instance in self.instances():
            nodes = self.nodes(instance)
            down = [node["hostname"] for node in nodes if node["status"] not in UP]
            if len(nodes) != len(servers) or down:
                faults.append(f"{instance.name}: {len(nodes)} backends, down: {', '.join(down) or 'none'}")
            elif (seen := [name_at(servers, host) for host in self._primaries(instance, nodes)]) != real:
                faults.append(f"{instance.name} takes {seen} for the primary, it is {real}")
        if faults or len(real) != 1:
            return Redundancy(False, "; ".join(faults) or f"primaries: {real}")
        return Redundancy(True, f"{len(self.instances())} answer and follow {real[0]}")

    def client(self, instance: Instance | None = None) -> psycopg.Connection[Any]:
        """A connection as user `chaos`, through the edge or to one PgPool."""
        return self._postgresql.client(instance)

    def version(self) -> str:
        """Version of PgPool-II, as each instance logs it when it starts."""

        def question(instance: Instance) -> str:
            # PgPool 4.3 answers SHOW pool_version with no row to any client but psql
            found = re.findall(r"successfully started\. version (\S+)", self._target.log(instance))
            return found[-1] if found else ""

        return first_answer(self.name, self.instances(), question)

    def bound(self) -> Bound:
        """PlatformError: what PgPool adds is part of PostgreSQL's formula."""
        raise no_formula(self.name)

    def nodes(self, instance: Instance) -> list[dict[str, Any]]:
        """Its backends as it sees them (columns of SHOW pool_nodes); empty when it does not answer."""
        try:
            with self.client(instance) as asked:
                return asked.cursor(row_factory=dict_row).execute("SHOW pool_nodes").fetchall()
        except psycopg.Error:
            return []

    def _primaries(self, instance: Instance, nodes: list[dict[str, Any]] | None = None) -> list[str]:
        seen = self.nodes(instance) if nodes is None else nodes
        return [node["hostname"] for node in seen if node["role"] == "primary" and node["status"] in UP]
