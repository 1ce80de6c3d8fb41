"""What one person does through the identity's API, which events that wrote, and what of them the consumer committed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import psycopg

from chaosblink.components import https
from chaosblink.components.identity import HOST
from chaosblink.experiments import specs
from chaosblink.targets import Target
from chaosblink.waiting import Timeout, until
from chaosblink.workloads.addresses import turns
from chaosblink.workloads.attempt import Attempt
from chaosblink.workloads.https import trust
from chaosblink.workloads.login import Person
from chaosblink.workloads.login_path import log_in

WATCHED_S = 10.0
"""How long an event is awaited: longer than is promised (8 s), so that a late one is measured and not only missed."""
LOGIN_S = 10.0
DATABASES = {"zitadel": "zitadel-password", "chaos": "chaos-password"}
"""Database, which is also its user's name -> file of the password."""

# The same moment and place twice would need two transactions at once; one person does one thing after the other.
_WRITTEN = b"""
SELECT concat_ws('/', instance_id, aggregate_type, aggregate_id, "sequence"), event_type, "position"
FROM eventstore.events2
WHERE "position" >= %(since)s AND (creator = %(person)s OR aggregate_id = ANY(%(aggregates)s))
ORDER BY "position", in_tx_order
"""
_DELIVERED = b"""
SELECT id, queue, name, extract(epoch FROM delivered_at) - "position", coalesce(times, 0)
FROM events_delivered LEFT JOIN eventrelay_inbox USING (id) WHERE id = ANY(%s) ORDER BY serial
"""
_LOGOUT = b"SELECT count(*) FROM events_delivered WHERE aggregate_id = %s AND name = 'auth.logout'"


class Written(NamedTuple):
    """An event of the store: id as the relay makes it, ZITADEL's type, position."""

    id: str
    type: str
    position: Decimal


class Delivered(NamedTuple):
    """A row the consumer committed: how many seconds after its event, and how often the event arrived in all."""

    id: str
    queue: str
    name: str
    late_s: Decimal
    arrivals: int


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that was written, and everything that was delivered of it within WATCHED_S, each in its order."""

    written: list[Written]
    delivered: list[Delivered]


def database(target: Target, name: str, **more: Any) -> psycopg.Connection[Any]:
    """A connection to `zitadel` or `chaos` as its owner, through the entrance; psycopg.Error when there is none."""
    host, port = target.endpoint("postgresql")
    return psycopg.connect(
        host=host,
        port=port,
        user=name,
        dbname=name,
        password=target.secret(DATABASES[name]),
        connect_timeout=5,
        prepare_threshold=None,
        **{"autocommit": True, **more},
    )


def lived(target: Target) -> Story:
    """A new person logs in, mistypes the password in a second session, ends that, and is removed again.

    The person and what belonged to them are gone afterwards; the events stay, as every event of ZITADEL does. Raises
    what the identity's or PostgreSQL's client raises when that cannot be done; that nothing is delivered is an answer.
    """
    with database(target, "zitadel") as store, database(target, "chaos") as consumer:
        since = _value(store, b"SELECT extract(epoch FROM clock_timestamp())")
        with api(target) as client, added(target, client) as (person, identity):
            asyncio.run(_logs_in(target, person))
            session = opened(client, person.login_name)
            _mistypes(client, session)
            ended(client, session)
        asked = {"since": since, "person": identity, "aggregates": [identity, session]}
        written = [Written(*row) for row in store.execute(_WRITTEN, asked).fetchall()]
        return Story(written, _awaited(consumer, [event.id for event in written]))


@contextlib.contextmanager
def api(target: Target) -> Iterator[httpx.Client]:
    """The identity's API as the login page calls it."""
    with https.client(target, *target.endpoint("identity"), host=HOST) as client:
        client.headers["authorization"] = f"Bearer {target.secret('login-client-token')}"
        yield client


@contextlib.contextmanager
def added(target: Target, client: httpx.Client) -> Iterator[tuple[Person, str]]:
    """Somebody who can log in, with their id; removed at the end."""
    name, password = f"conformance-{secrets.token_hex(6)}@blinkchamber.test", f"Aa1!{secrets.token_hex(12)}"
    body = {
        "username": name,
        "profile": {"givenName": "Ada", "familyName": "Lovelace"},
        "email": {"email": name, "isVerified": True},
        "password": {"password": password},
    }
    identity = str(client.post("/v2/users/human", json=body).raise_for_status().json()["userId"])
    try:
        yield Person(name, password, target.secret("login-client-token")), identity
    finally:
        client.delete(f"/v2/users/{identity}").raise_for_status()


def opened(client: httpx.Client, login_name: str) -> str:
    """A session for a person; its id."""
    body = {"checks": {"user": {"loginName": login_name}}}
    return str(client.post("/v2/sessions", json=body).raise_for_status().json()["sessionId"])


def ended(client: httpx.Client, session: str) -> None:
    """End a session, which writes `session.terminated`."""
    client.request("DELETE", f"/v2/sessions/{session}", json={}).raise_for_status()


def one_event_of_each_class(target: Target, client: httpx.Client) -> None:
    """Somebody is added (normal), has a session that is opened (low) and ended (high), and is removed (low)."""
    with added(target, client) as (person, _):
        ended(client, opened(client, person.login_name))


def logout_arrived(consumer: psycopg.Connection[Any], session: str) -> int:
    """How often the end of a session was committed by the consumer."""
    return int(_value(consumer, _LOGOUT, (session,)))


def delivered(consumer: psycopg.Connection[Any], ids: list[str]) -> list[Delivered]:
    """What the consumer has committed of these events, each row of it, in the order of their delivery."""
    return [Delivered(*row) for row in consumer.execute(_DELIVERED, (ids,)).fetchall()]


def _mistypes(client: httpx.Client, session: str) -> None:
    wrong = {"checks": {"password": {"password": "not the password"}}}
    answer = client.patch(f"/v2/sessions/{session}", json=wrong)
    assert 400 <= answer.status_code < 500, f"a wrong password was answered {answer.status_code}"


async def _logs_in(target: Target, person: Person) -> None:
    route = specs.login_route(target)
    async with asyncio.timeout(LOGIN_S):
        attempt = Attempt("conformance", 0, 0, LOGIN_S)
        await log_in(route, turns(route.address), trust(route.ca_file), person, attempt)


def _awaited(consumer: psycopg.Connection[Any], ids: list[str]) -> list[Delivered]:
    with contextlib.suppress(Timeout):  # what is missing then is for the tests to say
        until(lambda: {row.id for row in delivered(consumer, ids)} >= set(ids), WATCHED_S, "every event is delivered")
    return delivered(consumer, ids)


def _value(connection: psycopg.Connection[Any], question: bytes, given: tuple[Any, ...] = ()) -> Any:
    row = connection.execute(question, given).fetchone()
    assert row is not None
    return row[0]
