"""Refusals that need two nodes or the stand-in's own service token; the contract's own are in the conformance suite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
from standin_login import CLIENT, Login, bearer, complete
from standin_servers import USER_PASSWORD, Platform

Clients = list[httpx.Client]


def test_session_calls_need_the_service_token(clients: Clients) -> None:
    for value in ("", "Bearer wrong", "Bearer ü"):
        headers = [(b"authorization", value.encode())]
        assert clients[0].post("/v2/sessions", json={}, headers=headers).status_code == 401


def test_an_auth_request_is_handled_once(platform: Platform, clients: Clients) -> None:
    login = _ready_for_code(platform, clients)
    assert login.finish(clients[1]).json()["code"] == 9
    login.request_id = "V2_1"
    assert login.finish(clients[1]).status_code == 404


def test_a_code_used_at_two_nodes_at_once_earns_tokens_once_and_they_are_revoked(
    platform: Platform, clients: Clients
) -> None:
    for _ in range(5):
        login = _ready_for_code(platform, clients)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(login.exchange, clients * 2))
        earned = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
        assert len(earned) == 1
        assert clients[0].get("/oidc/v1/userinfo", headers=bearer(earned[0])).status_code == 401


def test_a_refresh_token_used_at_two_nodes_at_once_renews_once_and_its_family_is_revoked(
    platform: Platform, clients: Clients
) -> None:
    tokens = complete(clients, platform.token, USER_PASSWORD)
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLIENT}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: clients[n % 2].post("/oauth/v2/token", data=fields), range(4)))
    earned = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(earned) == 1
    again = fields | {"refresh_token": earned[0]["refresh_token"]}
    assert clients[0].post("/oauth/v2/token", data=again).json()["error"] == "invalid_grant"


def test_an_overlong_query_is_414(clients: Clients) -> None:
    assert clients[0].get("/oauth/v2/authorize", params={"state": "x" * 20_000}).status_code == 414


def _ready_for_code(platform: Platform, clients: Clients) -> Login:
    login = Login(platform.token)
    login.authorize(clients[0])
    login.identify(clients[0])
    login.prove(clients[0], USER_PASSWORD)
    assert login.finish(clients[0]).status_code == 200
    return login
