"""PostgreSQL with repmgr: one primary, every other server a standby that streams and counts for synchronous commits."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from chaosblink.components.protocol import PATIENCE_S, Bound, Redundancy, first_answer
from chaosblink.targets import Instance, PlatformError, Target


class Postgresql:
    """Asks each server over SQL, as `chaos` for its role and as `postgres` for the state of replication."""

    name = "postgresql"

    def __init__(self, target: Target) -> None:
        self._target = target

    def instances(self) -> list[Instance]:
        """Its servers, in order of name."""
        return self._target.instances(self.name)

    def role(self, instance: Instance) -> str:
        """primary or standby; "" when it does not answer."""
        try:
            with self.client(instance) as asked:
                return "standby" if _value(asked, "SELECT pg_is_in_recovery()") else "primary"
        except psycopg.Error:
            return ""

    def healthy(self, instance: Instance) -> bool:
        """Whether the server answers and, as a standby, receives from a primary."""
        try:
            with self.administrator(instance) as asked:
                streams = "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')"
                return bool(_value(asked, f"SELECT NOT pg_is_in_recovery() OR ({streams})"))
        except psycopg.Error:
            return False

    def redundant(self) -> Redundancy:
        """One primary; all others stream from it through an active slot and are named in the synchronous quorum."""
        roles = {instance: self.role(instance) for instance in self.instances()}
        primaries = [instance for instance, role in roles.items() if role == "primary"]
        away = [f"{instance.name} does not answer" for instance, role in roles.items() if not role]
        if away or len(primaries) != 1:
            named = ", ".join(instance.name for instance in primaries) or "none"
            return Redundancy(False, "; ".join([*away, f"primaries: {named}"]))
        standbys = {instance.name for instance in roles} - {primaries[0].name}
        try:
            with self.administrator(primaries[0]) as asked:
                return _streaming(asked, primaries[0].name, standbys)
        except psycopg.Error as error:
            return Redundancy(False, f"{primaries[0].name}: {' '.join(str(error).split())}")

    def client(self, instance: Instance | None = None) -> psycopg.Connection[Any]:
        """A connection as user `chaos`, through the edge (and PgPool) or to one server."""
        return self._connect(instance, "chaos", "chaos", "chaos-password")

    def version(self) -> str:
        """Version of the server."""

        def question(instance: Instance) -> str:
            try:
                with self.client(instance) as asked:
                    return str(_value(asked, "SHOW server_version"))
            except psycopg.Error:
                return ""

        return first_answer(self.name, self.instances(), question)

    def bound(self) -> Bound:
        """See `bound`."""
        return bound(self._target)

    def administrator(self, instance: Instance) -> psycopg.Connection[Any]:
        """A connection to one server as its superuser; only questions are asked through it."""
        return self._connect(instance, "postgres", "postgres", "postgres-password")

    def _connect(self, instance: Instance | None, user: str, database: str, secret: str) -> psycopg.Connection[Any]:
        address = (instance.address, instance.port) if instance else self._target.endpoint(self.name)
        return psycopg.connect(
            host=address[0],
            port=address[1],
            user=user,
            dbname=database,
            password=self._target.secret(secret),
            autocommit=True,
            connect_timeout=int(PATIENCE_S),
            tcp_user_timeout=int(PATIENCE_S * 1000),
            options=f"-c statement_timeout={int(PATIENCE_S * 1000)}",
        )


def _value(connection: psycopg.Connection[Any], question: str) -> Any:
    row = connection.execute(question).fetchone()
    return row[0] if row else None


REPLICATION = """
SELECT r.application_name, r.state, r.sync_state, coalesce(bool_or(s.active), false)
FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
GROUP BY 1, 2, 3
"""


def _streaming(asked: psycopg.Connection[Any], primary: str, standbys: set[str]) -> Redundancy:
    rows = {name: (state, sync, slot) for name, state, sync, slot in asked.execute(REPLICATION).fetchall()}
    faults = []
    for standby in sorted(standbys):
        state, sync, slot = rows.get(standby, ("not connected", "", False))
        if state != "streaming":
            faults.append(f"{standby} is {state}")
        elif sync not in ("quorum", "sync"):
            faults.append(f"{standby} does not count for synchronous commits ({sync})")
        elif not slot:
            faults.append(f"{standby} streams without a slot")
    if _value(asked, "SHOW synchronous_standby_names").strip() in ("", "*"):
        faults.append("synchronous_standby_names does not name the standbys")
    if faults:
        return Redundancy(False, "; ".join(faults))
    return Redundancy(True, f"primary {primary}, {len(standbys)} standbys streaming through slots")


PROMOTION_MS = 1000.0
"""pg_promote until it accepts writes: end-of-recovery record and timeline switch; 0.3 s measured on a busy machine."""

FOLLOW_MS = 500.0
"""PGPOOL_FOLLOW_INTERVAL (platform/chart/files/pgpool/settings.sh): how often the follower looks for the primary."""


def bound(target: Target) -> Bound:
    """repmgrd notices, retries, elects twice and promotes; a standby reattaches, since commits wait for one; PgPool
    follows. Settings are those of the running servers: repmgr.conf read by the server itself, SHOW, PGPOOL SHOW.

    For a primary that was killed: its port refuses at once, so attempts cost no connection timeout. Source: repmgr,
    "repmgrd configuration"; a lost election is run again after `election_rerun_interval`.
    """
    settings = [_settings(target, instance) for instance in target.instances("postgresql")]
    live = {name: max(each[name] for each in settings) for name in settings[0]}
    pgpool = max(_pgpool_ms(target, instance) for instance in target.instances("pgpool"))
    monitor, attempts = live["monitor_interval_secs"] * 1000, live["reconnect_attempts"]
    elections = 2 * monitor + live["election_rerun_interval"] * 1000
    reattached = monitor + live["wal_retrieve_retry_interval"]
    return Bound(
        monitor + attempts * live["reconnect_interval"] * 1000 + elections + PROMOTION_MS + reattached + pgpool,
        "monitor interval + attempts x reconnect interval + (2 x monitor interval + election rerun interval) "
        "+ promotion + (monitor interval + wal_retrieve_retry_interval) + (follower's poll + PgPool's primary search)",
        {**live, "promotion_ms": PROMOTION_MS, "pgpool_ms": pgpool},
    )


REPMGR = (
    "monitor_interval_secs",
    "reconnect_attempts",
    "reconnect_interval",
    "election_rerun_interval",
)


def _settings(target: Target, instance: Instance) -> dict[str, float]:
    """One server's live repmgr settings (s and counts) and PostgreSQL settings (ms)."""
    try:
        with Postgresql(target).administrator(instance) as asked:
            beside = "regexp_replace(current_setting('data_directory'), '[^/]+/?$', 'repmgr.conf')"
            written = _value(asked, f"SELECT pg_read_file({beside})")
            retry = "SELECT setting FROM pg_settings WHERE name = 'wal_retrieve_retry_interval'"
            found = {"wal_retrieve_retry_interval": float(_value(asked, retry))}
    except psycopg.Error as error:
        raise PlatformError(f"{instance.name} did not tell its settings: {' '.join(str(error).split())}") from None
    for name in REPMGR:
        line = re.search(rf"^{name}\s*=\s*'?(\d+)", written, re.MULTILINE)
        if line is None:
            raise PlatformError(f"repmgr.conf of {instance.name} does not set {name}: the outage bound is unknown")
        found[name] = float(line[1])
    return found


def _pgpool_ms(target: Target, instance: Instance) -> float:
    """Follower's poll plus the search that follows its word to PgPool, which hears no client meanwhile."""
    try:
        with Postgresql(target).client(instance) as asked:
            row = asked.execute("PGPOOL SHOW search_primary_node_timeout").fetchone()
            return FOLLOW_MS + float(row[0].rstrip("s")) * 1000 if row else 0.0
    except (psycopg.Error, ValueError) as error:
        raise PlatformError(f"{instance.name} did not tell its settings: {' '.join(str(error).split())}") from None
