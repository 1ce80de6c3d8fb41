"""PostgreSQL by hand: the document's dump, restored into a fresh database and compared row for row."""

from __future__ import annotations

import secrets

import pytest

from chaosblink.components.postgresql import Postgresql
from chaosblink.procedures.kubectl import Kubectl, Where, executing, with_secret
from chaosblink.targets import Target

pytestmark = pytest.mark.only_on("kubernetes", "the owner's commands are kubectl's and Helm's")

NAMED = "postgresql-ha-postgresql.database.svc"
TABLES = (
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
)
DIGEST = "SELECT count(*) || ' ' || md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {} t"


class Server:
    """PostgreSQL's programs in the pod of one server, as its superuser."""

    def __init__(self, target: Target, kubectl: Kubectl, pod: str) -> None:
        self._kubectl = kubectl
        self._where: Where = ("database", pod)
        self._password = target.secret("postgres-password")

    def __call__(self, *command: str, given: str = "") -> str:
        """Standard output of a program; the password is the first line of its standard input, `given` the rest."""
        line = with_secret("PGPASSWORD", *command)
        return self._kubectl.inside(self._where, *line, given=f"{self._password}\n{given}", within=300)

    def ask(self, host: str, database: str, question: str) -> str:
        """One question's answer, bare."""
        return self(
            "psql", "-h", host, "-U", "postgres", "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", question
        )

    def digests(self, host: str, database: str) -> dict[str, str]:
        """Number of rows and a digest of all of them, by table."""
        tables = self.ask(host, database, TABLES).split()
        whole = " UNION ALL ".join(f"SELECT '{table} ' || ({DIGEST.format(table)})" for table in tables)
        lines = self.ask(host, database, whole).splitlines()
        return {line.split()[0]: line.split(" ", 1)[1] for line in lines}


def test_a_dump_is_restored_row_for_row(target: Target, kubectl: Kubectl) -> None:
    """As the document dumps; restored by the primary's address (finding 15), into a database made for it."""
    postgresql = Postgresql(target)
    primary = next(i for i in postgresql.instances() if postgresql.role(i) == "primary")
    server, fresh = Server(target, kubectl, primary.name), f"restored_{secrets.token_hex(4)}"
    before = server.digests(NAMED, "zitadel")
    backup = server("pg_dump", "-h", NAMED, "-U", "postgres", "-d", "zitadel")
    assert server.digests(NAMED, "zitadel") == before, "somebody wrote meanwhile, so nothing can be compared"
    host = f"{primary.name}.{NAMED}"
    server.ask(host, "postgres", f"CREATE DATABASE {fresh}")
    try:
        restore = ("psql", "-h", host, "-U", "postgres", "-d", fresh, "-Xq", "-v", "ON_ERROR_STOP=1")
        server(*restore, given=backup)
        assert server.digests(host, fresh) == before
    finally:
        server.ask(host, "postgres", f"DROP DATABASE {fresh} WITH (FORCE)")
    assert sum(int(found.split()[0]) for found in before.values()) > 0, "there was nothing to restore"


def test_the_documents_restore_by_a_standbys_address_is_refused(target: Target, kubectl: Kubectl) -> None:
    """Finding 15: the name stands for all servers; a standby takes no write."""
    postgresql = Postgresql(target)
    standby = next(i for i in postgresql.instances() if postgresql.role(i) == "standby")
    server = Server(target, kubectl, standby.name)
    line = with_secret("PGPASSWORD", "psql", "-h", f"{standby.name}.{NAMED}", "-U", "postgres", "-d", "zitadel")
    given = f"{target.secret('postgres-password')}\nCREATE TABLE nobody_wants (id int);\n"
    command = (*line, "-X", "-v", "ON_ERROR_STOP=1")
    done = kubectl.tried(*executing(("database", standby.name), command, stdin=True), given=given)
    assert done.code != 0
    assert "read-only transaction" in done.stderr
    assert server.ask(f"{standby.name}.{NAMED}", "zitadel", "SELECT to_regclass('nobody_wants')").strip() == ""
