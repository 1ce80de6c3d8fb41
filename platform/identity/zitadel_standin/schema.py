"""Makes the schema, the signing key, the clients and the first users, once, whichever node comes first."""

from __future__ import annotations

import asyncio

from joserfc.jwk import RSAKey

from zitadel_standin import keys, passwords
from zitadel_standin.database import Connection, Database
from zitadel_standin.events import INSTANCE_ID, ORGANISATION_ID
from zitadel_standin.names import API_CLIENT, LOGIN_CLIENT
from zitadel_standin.settings import Settings

LOCK = 7_105_220_711
"""Advisory lock of the setup: an arbitrary number that nothing else on the platform uses."""
PROJECT_ID = "310716990375584737"
"""The one project; both applications are in it."""

_TABLES = """
CREATE SCHEMA IF NOT EXISTS eventstore;
CREATE SCHEMA IF NOT EXISTS identity;
CREATE TABLE IF NOT EXISTS eventstore.events2 (
    instance_id TEXT NOT NULL, aggregate_type TEXT NOT NULL, aggregate_id TEXT NOT NULL, event_type TEXT NOT NULL,
    "sequence" BIGINT NOT NULL, revision SMALLINT NOT NULL, created_at TIMESTAMPTZ NOT NULL, payload JSONB,
    creator TEXT NOT NULL, "owner" TEXT NOT NULL, "position" NUMERIC NOT NULL, in_tx_order INTEGER NOT NULL,
    CONSTRAINT events2_pkey PRIMARY KEY (instance_id, aggregate_type, aggregate_id, "sequence")
);
CREATE INDEX IF NOT EXISTS es_position ON eventstore.events2 ("position", in_tx_order);
CREATE TABLE IF NOT EXISTS identity.signing_keys (id TEXT PRIMARY KEY, sealed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS identity.clients (
    id TEXT PRIMARY KEY, redirect_uris TEXT[] NOT NULL, post_logout_redirect_uris TEXT[] NOT NULL
);
CREATE TABLE IF NOT EXISTS identity.users (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('human', 'machine')), login_name TEXT NOT NULL UNIQUE,
    given_name TEXT NOT NULL, family_name TEXT NOT NULL, email TEXT NOT NULL, email_verified BOOLEAN NOT NULL,
    description TEXT NOT NULL DEFAULT '', password_hash TEXT, secret_hash TEXT, roles TEXT[] NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(), changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS identity.machine_keys (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES identity.users ON DELETE CASCADE, public_key TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE IF NOT EXISTS identity.sessions (
    id TEXT PRIMARY KEY, token BYTEA NOT NULL, creator TEXT NOT NULL,
    user_id TEXT REFERENCES identity.users ON DELETE CASCADE, login_name TEXT, user_checked_at TIMESTAMPTZ,
    password_checked_at TIMESTAMPTZ, expires_at TIMESTAMPTZ, user_agent JSONB, metadata JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(), changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS identity.auth_requests (
    id TEXT PRIMARY KEY, client_id TEXT NOT NULL REFERENCES identity.clients, redirect_uri TEXT NOT NULL,
    scope TEXT[] NOT NULL, state TEXT NOT NULL, nonce TEXT NOT NULL, challenge TEXT NOT NULL, hints JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(), failed BOOLEAN NOT NULL DEFAULT false,
    session_id TEXT, user_id TEXT, authenticated_at TIMESTAMPTZ, code BYTEA UNIQUE, code_expires_at TIMESTAMPTZ,
    grant_id TEXT
);
CREATE TABLE IF NOT EXISTS identity.grants (
    id TEXT PRIMARY KEY, session_id TEXT, user_id TEXT NOT NULL REFERENCES identity.users ON DELETE CASCADE,
    client_id TEXT NOT NULL, scope TEXT[] NOT NULL, nonce TEXT NOT NULL, authenticated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS grants_session ON identity.grants (session_id);
CREATE TABLE IF NOT EXISTS identity.tokens (
    token BYTEA PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    grant_id TEXT NOT NULL REFERENCES identity.grants ON DELETE CASCADE, expires_at TIMESTAMPTZ NOT NULL,
    scope TEXT[], spent_at TIMESTAMPTZ
);
CREATE INDEX IF NOT EXISTS tokens_grant ON identity.tokens (grant_id);
"""

_LACKS_TABLES = "SELECT to_regclass('identity.tokens_grant') IS NULL AS lacks"
"""Whether the last thing that `_TABLES` makes is missing: all of it is made in one transaction. Asked first, since
CREATE INDEX IF NOT EXISTS locks a table against writing also where the index is there: a node that started while
another served ended that one's login in a deadlock."""

_CLIENT = """
INSERT INTO identity.clients (id, redirect_uris, post_logout_redirect_uris) VALUES (%(id)s, %(callback)s, %(home)s)
ON CONFLICT (id) DO NOTHING
"""

_OWNERS = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at)
INSERT INTO eventstore.events2
SELECT %(instance)s, kind, id, kind || '.added', 1, 1, clock.at, '{"name": "BlinkChamber"}'::jsonb, 'SYSTEM', %(owner)s,
       extract(epoch FROM clock.at), place
FROM clock, (VALUES ('org', %(owner)s, 1), ('project', %(project)s, 2)) AS owners (kind, id, place)
ON CONFLICT DO NOTHING
"""
"""The organisation and its project, told as ZITADEL's setup tells them."""

_USERS = """
WITH added AS (
    INSERT INTO identity.users
        (id, kind, login_name, given_name, family_name, email, email_verified, password_hash)
    SELECT (200000000000000000 + n)::text, 'human', name, 'User', n::text, name, true, %(hash)s
    FROM generate_series(0, %(count)s - 1) AS n, LATERAL (SELECT 'user-' || n || '@blinkchamber.test') AS names (name)
    ON CONFLICT (login_name) DO NOTHING
    RETURNING id, login_name
), clock AS MATERIALIZED (SELECT clock_timestamp() AS at)
INSERT INTO eventstore.events2
SELECT %(instance)s, 'user', id, 'user.human.added', 1, 1, clock.at, jsonb_build_object('userName', login_name),
       'SYSTEM', %(owner)s, extract(epoch FROM clock.at), row_number() OVER (ORDER BY id)
FROM added, clock
"""


async def prepare(database: Database, settings: Settings) -> RSAKey:
    """Make whatever is missing and return the signing key; safe to run on every node at every start."""
    # One hash serves all seed users: they share one password, and a hash each would cost N times the bcrypt work at
    # the first start while protecting nothing. Users made through the API get their own salt.
    seed_hash = await asyncio.to_thread(passwords.hashed, settings.user_password, settings.bcrypt_cost)

    async def work(connection: Connection) -> RSAKey:
        await connection.execute("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": LOCK})
        lacking = await (await connection.execute(_LACKS_TABLES)).fetchone()
        if lacking is None or lacking["lacks"]:
            await connection.execute(_TABLES)
        owners = {"instance": INSTANCE_ID, "owner": ORGANISATION_ID, "project": PROJECT_ID}
        await connection.execute(_OWNERS, owners)
        await _clients(connection)
        if settings.seed_users:
            parameters = {"hash": seed_hash, "count": settings.seed_users, "instance": INSTANCE_ID}
            await connection.execute(_USERS, parameters | {"owner": ORGANISATION_ID})
        return await keys.load_or_create(connection, settings.masterkey)

    return await database.transaction(work)


async def _clients(connection: Connection) -> None:
    callback, home = (["https://app.blinkchamber.test/callback"], ["https://app.blinkchamber.test/"])
    await connection.execute(_CLIENT, {"id": LOGIN_CLIENT, "callback": callback, "home": home})
    await connection.execute(_CLIENT, {"id": API_CLIENT, "callback": [], "home": []})
