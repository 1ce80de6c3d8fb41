"""A whole login as a person's browser and login page do it, described without any I/O.

`login()` is a generator: it yields a `Request`, is sent the `Answer`, and returns `Tokens`; whoever drives it (the
asyncio prober, a Locust user, a probe) brings the HTTP client. Sources: ZITADEL's "Build your own login UI" with the
session API v2, RFC 6749 (code), RFC 7636 (PKCE), OpenID Connect Core 1.0 section 3.1.3.7 (checks on an id_token).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Person:
    """Who logs in, where, and the token with which the login page calls the session API."""

    login_name: str
    password: str = field(repr=False)
    login_client_token: str = field(repr=False)
    client_id: str = "blinkchamber-login"
    redirect_uri: str = "https://app.blinkchamber.test/callback"
    scope: str = "openid profile email"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `target` is path and query, redirects must not be followed."""

    step: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login yields."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    subject: str = ""
    refresh_token: str = field(default="", repr=False)
    """Empty unless `offline_access` is in the person's scope."""


class LoginFailed(Exception):
    """A step did not give what it must; the message is `<step>:<status or what was wrong>`, without secrets."""


Login = Generator[Request, Answer, Tokens]


def login(person: Person) -> Login:
    """authorize, session, password, callback, token, userinfo; LoginFailed at the first step that goes wrong."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    auth_request = yield from _authorize(person, verifier, state)
    session = yield from _session(person)
    code = yield from _callback(person, auth_request, session, state)
    tokens = yield from _exchange(person, code, verifier)
    answer = yield userinfo(tokens)
    subject = _field("userinfo", answer, "sub")
    if subject != _claims("userinfo", tokens.id_token).get("sub"):
        raise LoginFailed("userinfo:other-subject")
    return replace(tokens, subject=subject)


def userinfo(tokens: Tokens) -> Request:
    """The request an application makes again and again with its access token."""
    return Request("userinfo", "GET", "/oidc/v1/userinfo", {"authorization": f"Bearer {tokens.access_token}"})


def check(step: str, answer: Answer) -> None:
    """LoginFailed unless the status is 2xx or 3xx."""
    if not 200 <= answer.status < 400:
        raise LoginFailed(f"{step}:{answer.status}")


def _authorize(person: Person, verifier: str, state: str) -> Generator[Request, Answer, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": person.client_id,
        "redirect_uri": person.redirect_uri,
        "response_type": "code",
        "scope": person.scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    # The header says that our login page, and not ZITADEL's own, takes the request over.
    headers = {"x-zitadel-login-client": "chaosblink"}
    answer = yield Request("authorize", "GET", f"/oauth/v2/authorize?{urlencode(query)}", headers)
    check("authorize", answer)
    given = parse_qs(urlsplit(answer.headers.get("location", "")).query)
    if not given.get("authRequest"):
        raise LoginFailed("authorize:no-auth-request")
    return given["authRequest"][0]


def _session(person: Person) -> Generator[Request, Answer, dict[str, str]]:
    user = {"checks": {"user": {"loginName": person.login_name}}}
    answer = yield _json(person, "session", "POST", "/v2/sessions", user)
    check("session", answer)
    identity = _field("session", answer, "sessionId")
    password = {"checks": {"password": {"password": person.password}}}
    answer = yield _json(person, "password", "PATCH", f"/v2/sessions/{identity}", password)
    check("password", answer)
    return {"sessionId": identity, "sessionToken": _field("password", answer, "sessionToken")}


def _callback(
    person: Person, auth_request: str, session: dict[str, str], state: str
) -> Generator[Request, Answer, str]:
    answer = yield _json(person, "callback", "POST", f"/v2/oidc/auth_requests/{auth_request}", {"session": session})
    check("callback", answer)
    address = _field("callback", answer, "callbackUrl")
    given = parse_qs(urlsplit(address).query)
    if not address.startswith(person.redirect_uri):
        raise LoginFailed("callback:foreign-redirect")
    if given.get("state") != [state]:
        raise LoginFailed("callback:wrong-state")
    if not given.get("code"):
        raise LoginFailed("callback:no-code")
    return given["code"][0]


def _exchange(person: Person, code: str, verifier: str) -> Generator[Request, Answer, Tokens]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": person.redirect_uri,
        "client_id": person.client_id,
        "code_verifier": verifier,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = yield Request("token", "POST", "/oauth/v2/token", headers, urlencode(form).encode())
    check("token", answer)
    tokens = Tokens(_field("token", answer, "access_token"), _field("token", answer, "id_token"))
    if "offline_access" in person.scope.split():
        tokens = replace(tokens, refresh_token=_field("token", answer, "refresh_token"))
    audience = _claims("token", tokens.id_token).get("aud")
    if person.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise LoginFailed("token:wrong-audience")
    return tokens


def _json(person: Person, step: str, method: str, target: str, body: dict[str, Any]) -> Request:
    headers = {"authorization": f"Bearer {person.login_client_token}", "content-type": "application/json"}
    return Request(step, method, target, headers, json.dumps(body).encode())


def _field(step: str, answer: Answer, name: str) -> str:
    check(step, answer)
    try:
        value = json.loads(answer.body)[name]
    except (ValueError, KeyError, TypeError):
        raise LoginFailed(f"{step}:no-{name}") from None
    return str(value)


def _claims(step: str, id_token: str) -> dict[str, Any]:
    """The claims, unverified: it came over TLS from the token endpoint (Core 3.1.3.7, item 6)."""
    try:
        payload = id_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        raise LoginFailed(f"{step}:bad-id-token") from None
    if not isinstance(claims, dict):
        raise LoginFailed(f"{step}:bad-id-token")
    return claims
