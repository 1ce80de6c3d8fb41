"""What must be refused, and that bad input is never the server's error."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from standin_login import AUTHORIZE, Login, bearer
from standin_servers import USER_PASSWORD, Platform

Clients = list[httpx.Client]


@pytest.mark.parametrize("changed", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.test/"}])
def test_unknown_client_and_foreign_address_are_not_redirected(clients: Clients, changed: dict) -> None:
    answer = clients[0].get("/oauth/v2/authorize", params=AUTHORIZE | changed)
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
    ],
)
def test_other_mistakes_are_told_by_redirect(clients: Clients, changed: dict, error: str) -> None:
    answer = clients[0].get("/oauth/v2/authorize", params=AUTHORIZE | changed)
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (answer.status_code, told["error"], told["state"]) == (302, [error], ["xyz"])


def test_session_calls_need_the_service_token(clients: Clients) -> None:
    for value in ("", "Bearer wrong", "Bearer ü"):
        headers = [(b"authorization", value.encode())]
        assert clients[0].post("/v2/sessions", json={}, headers=headers).status_code == 401


def test_wrong_password_and_unknown_user_are_refused(platform: Platform, clients: Clients) -> None:
    login = Login(platform.token)
    login.authorize(clients[0])
    assert login.identify(clients[0], "nobody@blinkchamber.test").status_code == 404
    login.identify(clients[0])
    for wrong in ("nope", "", "x" * 100, "a\0b"):
        refused = login.prove(clients[0], wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, 3)
    assert login.finish(clients[0]).json()["code"] == 9  # the session's password is not checked


def test_an_auth_request_is_handled_once(platform: Platform, clients: Clients) -> None:
    login = _ready_for_code(platform, clients)
    assert login.finish(clients[1]).json()["code"] == 9
    login.request_id = "V2_1"
    assert login.finish(clients[1]).status_code == 404


def test_a_code_works_once_and_only_with_its_verifier(platform: Platform, clients: Clients) -> None:
    login = _ready_for_code(platform, clients)
    for changed in ({"code_verifier": "w" * 43}, {"redirect_uri": "https://evil.test/"}, {"client_id": "other"}):
        assert login.exchange(clients[0], **changed).json()["error"] == "invalid_grant"
    assert login.exchange(clients[0]).status_code == 200
    replayed = login.exchange(clients[1])
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")


def test_a_large_body_is_413(platform: Platform, clients: Clients) -> None:
    answer = clients[0].post("/v2/sessions", content=b"x" * 70_000, headers=bearer(platform.token))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"checks": 1}',
        b'{"checks":{"user":{"loginName":7}}}',
        b'{"checks":{"user":{"loginName":"\\u0000"}}}',
        b'{"checks":{"user":{"loginName":"\\ud800"}}}',
    ],
)
def test_malformed_json_is_400(platform: Platform, clients: Clients, body: bytes) -> None:
    answer = clients[0].post("/v2/sessions", content=body, headers=bearer(platform.token))
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/v2/sessions/%00", {}, 400),
        ("PATCH", "/v2/sessions/0", {"json": {"checks": {"password": {"password": "x"}}}}, 404),
        ("DELETE", "/v2/sessions/0", {}, 404),
        ("GET", "/oauth/v2/authorize", {"params": AUTHORIZE | {"state": "a\0b"}}, 400),
        ("GET", "/oauth/v2/authorize", {"params": [*AUTHORIZE.items(), ("state", "twice")]}, 400),
        ("POST", "/oauth/v2/token", {"data": {"grant_type": "password"}}, 400),
        ("POST", "/oauth/v2/token", {"json": {}}, 400),
        ("POST", "/oauth/v2/token", {"data": {"grant_type": "authorization_code"}}, 400),
        ("POST", "/oauth/v2/introspect", {"data": {"token": "x"}, "headers": {"authorization": "Basic ???"}}, 401),
        ("GET", "/oidc/v1/userinfo", {"headers": {"authorization": "Bearer nonsense"}}, 401),
        ("GET", "/oidc/v1/end_session", {"params": {"id_token_hint": "a.b.c"}}, 400),
        ("GET", "/nowhere", {}, 404),
        ("PUT", "/v2/sessions", {}, 405),
    ],
)
def test_bad_input_is_never_a_server_error(
    platform: Platform, clients: Clients, method: str, path: str, options: dict, status: int
) -> None:
    answer = clients[0].request(method, path, **{"headers": bearer(platform.token)} | options)
    assert answer.status_code == status, answer.text


def _ready_for_code(platform: Platform, clients: Clients) -> Login:
    login = Login(platform.token)
    login.authorize(clients[0])
    login.identify(clients[0])
    login.prove(clients[0], USER_PASSWORD)
    assert login.finish(clients[0]).status_code == 200
    return login
