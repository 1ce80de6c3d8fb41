"""The identity keeps ZITADEL's contract on a platform that is up: through the edge, at every node, in its events."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import dict_row

from chaosblink import components
from chaosblink.targets import Target
from suites.identity.contract_logins import *  # noqa: F403
from suites.identity.contract_machines import *  # noqa: F403
from suites.identity.contract_parties import Issuer, Login, Person
from suites.identity.contract_refusals import *  # noqa: F403

OWNERS_METRICS = (
    "zitadel_auth_requests_total",
    "zitadel_auth_failures_total",
    "zitadel_users_total",
    "zitadel_http_requests_duration_seconds_bucket",
    "zitadel_grpc_requests_duration_seconds_bucket",
)
EVENTS = """
SELECT event_type, aggregate_type, aggregate_id, "sequence", "position", in_tx_order,
       "position" = extract(epoch FROM created_at) AS one_clock, instance_id, "owner", creator, revision
FROM eventstore.events2 WHERE aggregate_id = ANY(%(ids)s) ORDER BY "position", in_tx_order
"""


def test_every_node_is_reached_through_the_edge(issuer: Issuer, shared_platform: Target) -> None:
    nodes = {instance.name for instance in shared_platform.instances("identity")}
    seen = {issuer.http.get("/oauth/v2/keys").headers["x-served-by"] for _ in range(10 * len(nodes))}
    assert seen == nodes


def test_every_node_publishes_the_same_keys_and_description(shared_platform: Target) -> None:
    identity = components.of(shared_platform, "identity")
    for path in ("/oauth/v2/keys", "/.well-known/openid-configuration"):
        said = []
        for instance in identity.instances():
            with identity.client(instance) as client:
                said.append(client.get(path).raise_for_status().json())
        assert len(said) >= 2
        assert all(each == said[0] for each in said)


def test_metrics_carry_the_owners_names(issuer: Issuer, person: Person, shared_platform: Target) -> None:
    for _ in range(4):  # whichever node the edge chooses, each has then answered both kinds of call
        login = Login(issuer)
        login.authorize()
        login.identify(person.login_name)
        with pytest.raises(Exception, match="400"):
            login.prove("wrong")
    identity = components.of(shared_platform, "identity")
    shown = ""
    for instance in identity.instances():
        with identity.client(instance) as client:
            own = client.get("/debug/metrics").raise_for_status().text
        assert "\nzitadel_cache_breaker_open 0.0" in own, instance.name
        shown += own
    missing = [name for name in OWNERS_METRICS if f"\n{name}" not in shown]
    assert not missing


def test_a_login_is_told_event_by_event_with_zitadels_names(
    issuer: Issuer, person: Person, shared_platform: Target
) -> None:
    login = Login(issuer).ready(person)
    login.fetch()
    rows = _events(shared_platform, [login.session_id, login.request_id, person.user_id])
    assert [row["event_type"] for row in rows] == [
        "user.human.added",
        "auth_request.added",
        "session.added",
        "session.user.checked",
        "session.token.set",
        "user.human.password.check.succeeded",
        "session.password.checked",
        "session.token.set",
        "auth_request.session.linked",
        "auth_request.code.added",
        "auth_request.code.exchanged",
    ]
    assert all(row["one_clock"] and row["revision"] == 1 and row["instance_id"] and row["owner"] for row in rows)
    assert len({(row["position"], row["in_tx_order"]) for row in rows}) == len(rows)
    for aggregate in {row["aggregate_id"] for row in rows}:
        sequences = [row["sequence"] for row in rows if row["aggregate_id"] == aggregate]
        assert sequences == list(range(1, len(sequences) + 1))


def _events(target: Target, ids: list[str]) -> list[dict]:
    host, port = target.endpoint("postgresql")
    password = target.secret("zitadel-password")
    with psycopg.connect(
        host=host,
        port=port,
        user="zitadel",
        dbname="zitadel",
        password=password,
        connect_timeout=5,
        row_factory=dict_row,
    ) as connection:
        return connection.execute(EVENTS, {"ids": ids}).fetchall()
