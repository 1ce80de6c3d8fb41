"""What the contract refuses, as the standards say (RFC 6749, 7009, 7636, 9700), and that nothing leaks in doing so.

Imported by test modules that bring the fixtures `issuer` and `person`.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import zitadel_client as sdk
from authlib.integrations.base_client import OAuthError

from suites.identity.contract_parties import API_CLIENT, CALLBACK, CLIENT, HOME, Issuer, Login, Person

AUTHORIZE = {
    "client_id": CLIENT,
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
    "state": "xyz",
}
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
CONNECT = "/zitadel.session.v2.SessionService/CreateSession"


def test_a_wrong_password_is_refused_and_the_right_one_still_works(issuer: Issuer, person: Person) -> None:
    login = Login(issuer)
    login.authorize()
    login.identify(person.login_name)
    for wrong in ("nope", "", "x" * 100, person.password + " ", person.password.swapcase()):
        with pytest.raises(sdk.ApiError) as refused:
            login.prove(wrong)
        assert (refused.value.code, refused.value.response_body["code"]) == (400, "invalid_argument")
        assert person.password not in str(refused.value.response_body)
    with pytest.raises(sdk.ApiError) as refused:
        login.finish()
    assert refused.value.response_body["code"] == "failed_precondition"
    login.prove(person.password)
    login.finish()
    assert login.fetch()["token_type"] == "Bearer"


def test_a_replayed_code_is_refused_and_its_tokens_are_revoked(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    tokens = login.fetch()
    with pytest.raises(OAuthError, match="invalid_grant"):
        login.fetch()
    assert issuer.userinfo(tokens["access_token"]).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        login.party.refresh_token(refresh_token=tokens["refresh_token"])


def test_a_reused_refresh_token_revokes_its_whole_family(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    first = login.fetch()
    second = dict(login.party.refresh_token(refresh_token=first["refresh_token"]))
    with pytest.raises(OAuthError, match="invalid_grant"):
        login.party.refresh_token(refresh_token=first["refresh_token"])
    assert issuer.userinfo(second["access_token"]).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        login.party.refresh_token(refresh_token=second["refresh_token"])


@pytest.mark.parametrize("verifier", ["w" * 43, "", "short", "ü" * 43])
def test_a_code_is_worth_nothing_without_its_verifier(issuer: Issuer, person: Person, verifier: str) -> None:
    login = Login(issuer).ready(person)
    with pytest.raises(OAuthError, match=r"invalid_grant|invalid_request"):
        login.fetch(code_verifier=verifier)
    assert login.fetch()["token_type"] == "Bearer"


def test_a_code_is_bound_to_its_client_and_address(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    good = {"grant_type": "authorization_code", "code": parse_qs(urlsplit(login.callback).query)["code"][0]}
    good |= {"redirect_uri": CALLBACK, "client_id": CLIENT, "code_verifier": login.verifier}
    for changed, status, error in (
        ({"redirect_uri": HOME}, 400, "invalid_grant"),
        ({"client_id": API_CLIENT}, 400, "invalid_grant"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"code": "A" * 43}, 400, "invalid_grant"),
    ):
        answer = issuer.http.post("/oauth/v2/token", data=good | changed)
        assert (answer.status_code, answer.json()["error"]) == (status, error), changed
    assert issuer.http.post("/oauth/v2/token", data=good).status_code == 200


def test_a_code_of_a_session_that_has_ended_opens_nothing(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    issuer.sdk.sessions.delete_session(sdk.SessionServiceDeleteSessionRequest(session_id=login.session_id))
    with pytest.raises(OAuthError, match="invalid_grant"):
        login.fetch()


def test_an_expired_session_logs_nobody_in(issuer: Issuer, person: Person) -> None:
    login = Login(issuer)
    login.authorize()
    login.identify(person.login_name, lifetime="2s")
    login.prove(person.password)
    get = sdk.SessionServiceGetSessionRequest(session_id=login.session_id)
    ends = issuer.sdk.sessions.get_session(get).session.expiration_date
    time.sleep(max(0.0, ends.timestamp() - time.time()) + 0.05)  # the expiry itself is what is waited for
    for step in (login.finish, lambda: login.prove(person.password)):
        with pytest.raises(sdk.ApiError) as refused:
            step()
        assert refused.value.response_body["code"] == "failed_precondition"


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://evil.test/"},
        {"redirect_uri": CALLBACK + "/../evil"},
        {"redirect_uri": CALLBACK + "?x=1"},
        {"redirect_uri": CALLBACK.replace("https", "http")},
        {"redirect_uri": ""},
    ],
    ids=str,
)
def test_unknown_client_and_foreign_address_are_never_redirected_to(issuer: Issuer, changed: dict[str, str]) -> None:
    answer = issuer.http.get("/oauth/v2/authorize", params=AUTHORIZE | changed)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://evil.test/r"}, "request_uri_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"prompt": "nonsense"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"nonce": "n" * 5000}, "invalid_request"),
    ],
    ids=str,
)
def test_other_mistakes_are_told_to_the_application(issuer: Issuer, changed: dict[str, str], error: str) -> None:
    answer = issuer.http.get("/oauth/v2/authorize", params=AUTHORIZE | changed)
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.headers["location"].startswith(CALLBACK)
    assert (answer.status_code, told["error"], told["state"]) == (302, [error], ["xyz"])


def test_a_tampered_token_opens_nothing(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    tokens = login.fetch()
    for name in ("access_token", "refresh_token", "id_token"):
        token = tokens[name]
        tampered = token[:-1] + ("A" if token[-1] != "A" else "B")
        assert issuer.userinfo(tampered).status_code == 401
        assert issuer.introspect(tampered) == {"active": False}
    assert issuer.userinfo(tokens["refresh_token"]).status_code == 401
    assert issuer.introspect(tokens["refresh_token"]) == {"active": False}
    with pytest.raises(OAuthError, match="invalid_grant"):
        login.party.refresh_token(refresh_token=tokens["access_token"])
    head, payload, signature = tokens["id_token"].split(".")
    for hint in (f"{head}.{payload}.{signature[::-1]}", f"{head}.e30.{signature}", f"{head}.{payload}."):
        refused = issuer.http.get("/oidc/v1/end_session", params={"id_token_hint": hint})
        assert refused.status_code == 400
    assert issuer.userinfo(tokens["access_token"]).status_code == 200


def test_a_foreign_logout_address_is_refused_and_nobody_is_logged_out(issuer: Issuer, person: Person) -> None:
    tokens = Login(issuer).ready(person).fetch()
    fields = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://evil.test/"}
    answer = issuer.http.get("/oidc/v1/end_session", params=fields)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert issuer.userinfo(tokens["access_token"]).status_code == 200


def test_introspection_is_for_the_api_application_alone(issuer: Issuer) -> None:
    for auth in ((API_CLIENT, "wrong"), ("nobody", issuer.api_secret), (CLIENT, "")):
        answer = issuer.http.post("/oauth/v2/introspect", data={"token": "x"}, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_an_access_token_without_the_apis_audience_opens_no_api(issuer: Issuer, person: Person) -> None:
    tokens = Login(issuer).ready(person).fetch()
    for token in (tokens["access_token"], "nonsense", "ü"):
        headers = [(b"authorization", f"Bearer {token}".encode())]
        answer = issuer.http.post("/v2/users", json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, 16)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/v2/sessions", b"{", JSON, 400),
        ("POST", "/v2/sessions", b"[]", JSON, 400),
        ("POST", "/v2/sessions", b"null", JSON, 400),
        ("POST", "/v2/sessions", b"\xff\xfe", JSON, 400),
        ("POST", "/v2/sessions", b"[" * 60_000, JSON, 400),
        ("POST", "/v2/sessions", b'{"checks": 1}', JSON, 400),
        ("POST", "/v2/sessions", b'{"checks":{"user":{"loginName":7}}}', JSON, 400),
        ("POST", "/v2/sessions", b'{"checks":{"user":{"loginName":"\\u0000"}}}', JSON, 400),
        ("POST", "/v2/sessions", b'{"checks":{"user":{"loginName":"\\ud800"}}}', JSON, 400),
        ("POST", "/v2/sessions", b'{"lifetime":"-1s"}', JSON, 400),
        ("POST", "/v2/sessions", b'{"metadata":{"k":"not base64!"}}', JSON, 400),
        ("POST", "/v2/sessions", b'{"checks":{"totp":{"code":"1"}}}', JSON, 400),
        ("POST", "/v2/sessions", b"x" * 70_000, JSON, 413),
        ("POST", "/v2/sessions", b"a=b", FORM, 415),
        ("POST", "/v2/sessions", b"<a/>", {"content-type": "application/xml"}, 415),
        ("POST", CONNECT, b"{", JSON, 400),
        ("POST", CONNECT, b"{}", {"content-type": "application/proto"}, 415),
        ("POST", CONNECT, b"{}", {}, 415),
        ("POST", CONNECT, b"x" * 70_000, JSON, 413),
        ("GET", CONNECT, b"", {}, 405),
        ("POST", "/zitadel.session.v2.SessionService/Nothing", b"{}", JSON, 404),
        ("GET", "/v2/sessions/%00", b"", {}, 400),
        ("GET", "/v2/sessions/0", b"", {}, 404),
        ("PATCH", "/v2/sessions/0", b'{"checks":{"password":{"password":"x"}}}', JSON, 404),
        ("DELETE", "/v2/sessions/0", b"", {}, 404),
        ("PUT", "/v2/sessions", b"", {}, 405),
        ("POST", "/v2/sessions/search", b'{"queries":[{}]}', JSON, 400),
        ("POST", "/v2/sessions/search", b'{"query":{"limit":1001}}', JSON, 400),
        ("POST", "/v2/sessions/search", b'{"query":{"offset":"-1"}}', JSON, 400),
        ("POST", "/v2/sessions/search", b'{"queries":[{"creationDateQuery":{"creationDate":"x"}}]}', JSON, 400),
        ("POST", "/v2/users", b'{"queries":[{"emailQuery":{"method":"LIKE"}}]}', JSON, 400),
        ("POST", "/v2/users", b'{"sortingColumn":"id; DROP TABLE"}', JSON, 400),
        ("POST", "/v2/users", b'{"queries":[' + b'{"notQuery":{"query":' * 40 + b"{}" + b"}}" * 40 + b"]}", JSON, 400),
        ("POST", "/v2/users/human", b"{}", JSON, 400),
        ("POST", "/v2/users/new", b"{}", JSON, 400),
        ("GET", "/v2/users/0", b"", {}, 404),
        ("DELETE", "/v2/users/0", b"", {}, 404),
        ("POST", "/v2/users/0/secret", b"", {}, 404),
        ("POST", "/v2/users/0/keys", b'{"publicKey":"eA=="}', JSON, 400),
        ("POST", "/v2/oidc/auth_requests/V2_1", b"{}", JSON, 400),
        ("POST", "/oauth/v2/token", b"{}", JSON, 400),
        ("POST", "/oauth/v2/token", b"", {}, 400),
        ("POST", "/oauth/v2/token", b"grant_type=password", FORM, 400),
        ("POST", "/oauth/v2/token", b"grant_type=refresh_token", FORM, 400),
        ("POST", "/oauth/v2/token", b"grant_type=a&grant_type=b", FORM, 400),
        (
            "POST",
            "/oauth/v2/token",
            b"grant_type=authorization_code&code=%00&redirect_uri=x&code_verifier=y",
            FORM,
            401,
        ),
        ("POST", "/oauth/v2/token", b"grant_type=client_credentials&client_id=%00", FORM, 400),
        ("POST", "/oauth/v2/token", b"x" * 70_000, FORM, 413),
        ("POST", "/oauth/v2/revoke", b"token=x&client_id=nobody", FORM, 401),
        ("GET", "/oidc/v1/userinfo", b"", {"authorization": "Bearer nonsense"}, 401),
        ("GET", "/oidc/v1/end_session", b"", {}, 400),
        ("GET", "/oauth/v2/authorize?" + "&".join(f"{k}=twice&{k}=twice" for k in AUTHORIZE), b"", {}, 400),
        ("GET", "/nowhere", b"", {}, 404),
    ],
    ids=lambda value: value[:40] if isinstance(value, str | bytes) else None,
)
def test_bad_input_is_refused_and_never_the_servers_error(
    issuer: Issuer, method: str, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = issuer.http.request(method, path, content=body, headers=issuer.service | headers)
    assert answer.status_code == status, answer.text
    assert not [secret for secret in (issuer.token, issuer.api_secret) if secret in answer.text]
    assert not [word for word in leaks() if word in answer.text]


def leaks() -> list[str]:
    """Words of the inside that no answer may carry."""
    return ["Traceback", "psycopg", "SELECT", "identity.users", "identity.sessions", "msgspec", "joserfc", ".py"]


def test_what_a_json_body_says_beside_the_contract_is_ignored(issuer: Issuer, person: Person) -> None:
    body: dict[str, Any] = {"checks": {"user": {"userId": person.user_id, "unknown": 1}}, "unknown": {"a": []}}
    answer = issuer.http.post("/v2/sessions", json=body, headers=issuer.service)
    assert answer.status_code == 201
    gone = issuer.http.delete(f"/v2/sessions/{answer.json()['sessionId']}", headers=issuer.service)
    assert gone.status_code == 200
