"""The login path across nodes, and tokens afterwards."""

from __future__ import annotations

import httpx
import pytest
from standin_login import CLIENT, ISSUER, Login, bearer, claims, complete
from standin_servers import USER_PASSWORD, Platform

Clients = list[httpx.Client]


@pytest.fixture
def tokens(platform: Platform, clients: Clients) -> dict:
    """Tokens of a login whose steps went to both nodes in turn."""
    return complete(clients, platform.token, USER_PASSWORD)


def test_a_login_whose_steps_go_to_different_nodes_succeeds(clients: Clients, tokens: dict) -> None:
    told = claims(clients[0], tokens["id_token"])
    info = clients[1].get("/oidc/v1/userinfo", headers=bearer(tokens["access_token"]))
    assert info.json()["sub"] == told["sub"]
    assert info.json()["email"] == "user-0@blinkchamber.test"
    assert info.headers["x-served-by"] == "identity-1"


def test_both_nodes_describe_one_issuer_and_one_key(clients: Clients) -> None:
    described = [client.get("/.well-known/openid-configuration").json() for client in clients]
    assert described[0] == described[1]
    assert described[0]["issuer"] == ISSUER
    published = [client.get("/oauth/v2/keys").json()["keys"] for client in clients]
    assert published[0] == published[1]
    assert set(published[0][0]) == {"kty", "n", "e", "kid", "use", "alg"}


def test_every_check_gives_a_new_session_token(platform: Platform, clients: Clients) -> None:
    login = Login(platform.token)
    login.authorize(clients[0])
    login.identify(clients[0])
    first = login.session_token
    login.prove(clients[1], USER_PASSWORD)
    assert login.session_token != first
    login.session_token = first
    assert login.finish(clients[0]).status_code == 403


def test_a_user_added_at_one_node_logs_in_at_the_other(platform: Platform, clients: Clients) -> None:
    person = {"givenName": "Ada", "familyName": "Lovelace"}
    body = {"username": "ada", "profile": person, "email": {"email": "ada@example.org"}, "password": {"password": "x1"}}
    added = clients[0].post("/v2/users/human", json=body, headers=bearer(platform.token))
    assert added.status_code == 201
    assert clients[1].post("/v2/users/human", json=body, headers=bearer(platform.token)).status_code == 409
    login = Login(platform.token)
    login.authorize(clients[1])
    login.identify(clients[1], "ada")
    assert login.prove(clients[1], "x1").status_code == 200
    assert login.finish(clients[1]).status_code == 200


def test_introspection_follows_revocation(platform: Platform, clients: Clients, tokens: dict) -> None:
    def introspect(secret: str) -> httpx.Response:
        data = {"token": tokens["access_token"]}
        return clients[0].post("/oauth/v2/introspect", data=data, auth=("blinkchamber-api", secret))

    assert introspect("wrong").status_code == 401
    assert introspect(platform.token).json()["username"] == "user-0@blinkchamber.test"
    fields = {"token": tokens["refresh_token"], "client_id": CLIENT}
    assert clients[1].post("/oauth/v2/revoke", data=fields).status_code == 200
    assert introspect(platform.token).json() == {"active": False}
    assert clients[0].get("/oidc/v1/userinfo", headers=bearer(tokens["access_token"])).status_code == 401


def test_logging_out_ends_session_and_tokens(platform: Platform, clients: Clients, tokens: dict) -> None:
    session = f"/v2/sessions/{claims(clients[0], tokens['id_token'])['sid']}"
    assert clients[0].get(session, headers=bearer(platform.token)).status_code == 200
    home = "https://app.blinkchamber.test/"
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": home, "state": "s"}
    left = clients[1].get("/oidc/v1/end_session", params=query)
    assert (left.status_code, left.headers["location"]) == (302, f"{home}?state=s")
    assert clients[0].get(session, headers=bearer(platform.token)).status_code == 404
    assert clients[0].get("/oidc/v1/userinfo", headers=bearer(tokens["access_token"])).status_code == 401
