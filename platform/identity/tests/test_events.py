"""Events stand in ZITADEL's table, in the transaction of what they tell."""

from __future__ import annotations

import httpx
from standin_login import Login, claims, complete
from standin_servers import USER_PASSWORD, Platform

Clients = list[httpx.Client]
SEED = """
SELECT count(*), max(sequence) FROM eventstore.events2 WHERE event_type = 'user.human.added' AND creator = 'SYSTEM'
"""


def test_seed_users_are_added_once_by_two_nodes_that_started_together(platform: Platform) -> None:
    assert platform.postgres.rows(SEED) == [(20, 1)]
    assert platform.postgres.rows("SELECT count(*) FROM identity.signing_keys") == [(1,)]


def test_a_login_is_told_event_by_event(platform: Platform, clients: Clients) -> None:
    session = claims(clients[0], complete(clients, platform.token, USER_PASSWORD)["id_token"])["sid"]
    rows = platform.postgres.rows(
        "SELECT event_type, sequence, position = extract(epoch FROM created_at) FROM eventstore.events2"
        " WHERE aggregate_id = %s ORDER BY position, in_tx_order",
        session,
    )
    names = [name for name, _, _ in rows]
    checks = ["session.added", "session.user.checked", "session.token.set", "session.password.checked"]
    assert names == [*checks, "session.token.set"]
    assert [sequence for _, sequence, _ in rows] == [1, 2, 3, 4, 5]
    assert all(same_clock for _, _, same_clock in rows)


def test_a_wrong_password_is_told(platform: Platform, clients: Clients) -> None:
    query = "SELECT count(*) FROM eventstore.events2 WHERE event_type = 'user.human.password.check.failed'"
    before = platform.postgres.rows(query)[0][0]
    login = Login(platform.token)
    login.identify(clients[0])
    login.prove(clients[0], "nope")
    assert platform.postgres.rows(query)[0][0] == before + 1


def test_event_and_change_share_one_transaction(platform: Platform, clients: Clients) -> None:
    login = Login(platform.token)
    login.identify(clients[0])
    assert platform.postgres.rows(
        "SELECT s.xmin = e.xmin FROM identity.sessions s, eventstore.events2 e"
        " WHERE s.id = %s AND e.aggregate_id = s.id AND e.event_type = 'session.added'",
        login.session_id,
    ) == [(True,)]
