"""The authorization endpoint and the auth request it makes, up to the code (RFC 6749 section 4.1, PKCE RFC 7636)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from psycopg.rows import DictRow

from zitadel_standin import errors, events, metrics
from zitadel_standin.errors import ApiError, OAuthError, RedirectedError
from zitadel_standin.events import Event
from zitadel_standin.names import fingerprint, new_id, new_secret
from zitadel_standin.node import Node

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""Base64url of a SHA-256, without padding (RFC 7636 section 4.2)."""
CODE_LIFETIME = "10 minutes"
"""The longest RFC 6749 section 4.1.2 recommends."""
LONGEST = 2048
"""Longest parameter kept, in characters."""
PROMPTS = {name: f"PROMPT_{name.upper()}" for name in ("none", "login", "consent", "select_account", "create")}
REASON = "ERROR_REASON_"
REASONS = frozenset(
    {
        *("INVALID_REQUEST", "UNAUTHORIZED_CLIENT", "ACCESS_DENIED", "UNSUPPORTED_RESPONSE_TYPE", "INVALID_SCOPE"),
        *("SERVER_ERROR", "TEMPORARY_UNAVAILABLE", "INTERACTION_REQUIRED", "LOGIN_REQUIRED"),
        *("ACCOUNT_SELECTION_REQUIRED", "CONSENT_REQUIRED"),
    }
)
"""What a login page may answer an application (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6)."""

_ADD = events.telling("""
changed AS (
    INSERT INTO identity.auth_requests (id, client_id, redirect_uri, scope, state, nonce, challenge, hints)
    VALUES (%(id)s, %(client_id)s, %(redirect_uri)s, %(scope)s, %(state)s, %(nonce)s, %(challenge)s, %(hints)s::jsonb)
    RETURNING 'LOGIN' AS creator
)""")
_LINK = events.telling("""
changed AS (
    UPDATE identity.auth_requests r
    SET session_id = s.id, user_id = s.user_id, authenticated_at = s.password_checked_at, code = %(code)s,
        code_expires_at = now() + %(lifetime)s::interval
    FROM identity.sessions s
    WHERE r.id = %(id)s AND r.session_id IS NULL AND NOT r.failed
      AND s.id = %(session)s AND s.token = %(token)s AND s.password_checked_at IS NOT NULL
      AND (s.expires_at IS NULL OR s.expires_at > now())
    RETURNING r.redirect_uri, r.state, s.user_id AS creator
)""")
_FAIL = events.telling("""
changed AS (
    UPDATE identity.auth_requests SET failed = true WHERE id = %(id)s AND session_id IS NULL AND NOT failed
    RETURNING redirect_uri, state, 'LOGIN' AS creator
)""")
_WHY_NOT_LINKED = """
SELECT s.password_checked_at IS NOT NULL AS checked, coalesce(s.expires_at <= now(), false) AS expired
FROM identity.sessions s WHERE s.id = %(id)s AND s.token = %(token)s
"""


async def authorize(node: Node, query: Mapping[str, str]) -> str:
    """Keep the authorization request and return its id (`V2_...`).

    OAuthError for an unknown client or a foreign redirect_uri, which must not be redirected to; RedirectedError else.
    """
    client = await node.database.one(
        "SELECT redirect_uris FROM identity.clients WHERE id = %(id)s", {"id": query.get("client_id", "")}
    )
    if client is None:
        raise OAuthError("invalid_request", "client_id is unknown")
    if query.get("redirect_uri") not in client["redirect_uris"]:
        raise OAuthError("invalid_request", "redirect_uri is not registered for this client")
    request = _checked(query) | {"id": f"V2_{new_id()}"}
    told = Event("auth_request", request["id"], "auth_request.added", {"clientID": request["client_id"]})
    await node.database.change(_ADD, [told], request)
    metrics.AUTH_REQUESTS.inc()
    return str(request["id"])


async def show(node: Node, request_id: str) -> dict[str, Any]:
    """The auth request for a login page to show; ApiError when there is none."""
    query = "SELECT id, client_id, redirect_uri, scope, hints, created_at FROM identity.auth_requests WHERE id = %(id)s"
    found = await node.database.one(query, {"id": request_id})
    if found is None:
        raise ApiError(errors.NOT_FOUND, "Auth Request does not exist")
    return found


async def finish(node: Node, request_id: str, session_id: str, session_token: str) -> tuple[str, DictRow]:
    """Link a checked session to the auth request; the callback URL with code and state, and what was told.

    ApiError: wrong session token, password not checked yet, no such auth request, or one already handled.
    """
    code = new_secret()
    token = fingerprint(session_token)
    row = {"id": request_id, "session": session_id, "token": token, "lifetime": CODE_LIFETIME}
    told = ("auth_request.session.linked", "auth_request.code.added")
    linked = await node.database.change(
        _LINK, [Event("auth_request", request_id, name) for name in told], row | {"code": fingerprint(code)}
    )
    if linked is None:
        raise await _why_not(node, request_id, session_id, token)
    return with_parameters(linked["redirect_uri"], code=code, state=linked["state"]), linked


async def give_up(node: Node, request_id: str, reason: str, description: str) -> tuple[str, DictRow]:
    """End the auth request without a login: the callback URL with the error, and what was told. ApiError."""
    error = reason.removeprefix(REASON)
    if error not in REASONS:
        raise ApiError(errors.INVALID_ARGUMENT, "error.error is not a reason")
    told = Event("auth_request", request_id, "auth_request.failed", {"description": description[:LONGEST]})
    failed = await node.database.change(_FAIL, [told], {"id": request_id})
    if failed is None:
        raise await _handled(node, request_id) or ApiError(errors.FAILED_PRECONDITION, "already handled")
    metrics.AUTH_FAILURES.labels("given_up").inc()
    error = "temporarily_unavailable" if error == "TEMPORARY_UNAVAILABLE" else error.lower()
    parameters = {"error": error, "error_description": description[:LONGEST], "state": failed["state"]}
    return with_parameters(failed["redirect_uri"], **parameters), failed


def with_parameters(uri: str, **parameters: str) -> str:
    """The URI with the non-empty parameters added to its query."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(given)}" if given else uri


def _checked(query: Mapping[str, str]) -> dict[str, Any]:
    """The request's parameters, or the first reason to refuse it, told to the client by redirect."""
    uri, state = query["redirect_uri"], query.get("state", "")
    scope, prompts = query.get("scope", "").split(), query.get("prompt", "").split()
    age = query.get("max_age", "0")
    malformed = not set(prompts) <= set(PROMPTS) or not (age.isascii() and age.isdecimal() and len(age) < 10)
    refusals = (
        (query.get("response_type") != "code", "unsupported_response_type", "only response_type=code is supported"),
        (query.get("response_mode", "query") != "query", "invalid_request", "only response_mode=query is supported"),
        ("request" in query, "request_not_supported", "request objects are not supported"),
        ("request_uri" in query, "request_uri_not_supported", "request objects are not supported"),
        ("openid" not in scope, "invalid_scope", "scope must contain openid"),
        (query.get("code_challenge_method") != "S256", "invalid_request", "code_challenge_method must be S256"),
        (not CHALLENGE.fullmatch(query.get("code_challenge", "")), "invalid_request", "code_challenge is malformed"),
        (malformed, "invalid_request", "prompt or max_age is malformed"),
        (max(map(len, query.values())) > LONGEST, "invalid_request", "a parameter is too long"),
    )
    for refused, error, description in refusals:
        if refused:
            raise RedirectedError(uri, error, description, state if len(state) <= LONGEST else "")
    return {
        "client_id": query["client_id"],
        "redirect_uri": uri,
        "scope": list(dict.fromkeys(scope)),
        "state": state,
        "nonce": query.get("nonce", ""),
        "challenge": query["code_challenge"],
        "hints": _hints(query, prompts),
    }


def _hints(query: Mapping[str, str], prompts: list[str]) -> str:
    """What the application tells the login page, in ZITADEL's JSON."""
    hints: dict[str, Any] = {}
    if prompts:
        hints["prompt"] = [PROMPTS[prompt] for prompt in prompts]
    if "login_hint" in query:
        hints["loginHint"] = query["login_hint"]
    if "ui_locales" in query:
        hints["uiLocales"] = query["ui_locales"].split()
    if "max_age" in query:
        hints["maxAge"] = f"{int(query['max_age'])}s"
    return msgspec.json.encode(hints).decode()


async def _why_not(node: Node, request_id: str, session_id: str, token: bytes) -> ApiError:
    """The reason why nothing was linked, in the order ZITADEL looks."""
    handled = await _handled(node, request_id)
    if handled:
        return handled
    session = await node.database.one(_WHY_NOT_LINKED, {"id": session_id, "token": token})
    if session is None:
        metrics.AUTH_FAILURES.labels("session_token").inc()
        return ApiError(errors.PERMISSION_DENIED, "Session Token is invalid")
    if session["expired"]:
        metrics.AUTH_FAILURES.labels("expired_session").inc()
        return ApiError(errors.FAILED_PRECONDITION, "Session has expired")
    metrics.AUTH_FAILURES.labels("unchecked_session").inc()
    return ApiError(errors.FAILED_PRECONDITION, "Session has no checked password")


async def _handled(node: Node, request_id: str) -> ApiError | None:
    query = "SELECT session_id IS NOT NULL OR failed AS handled FROM identity.auth_requests WHERE id = %(id)s"
    request = await node.database.one(query, {"id": request_id})
    if request is None:
        return ApiError(errors.NOT_FOUND, "Auth Request does not exist")
    if request["handled"]:
        return ApiError(errors.FAILED_PRECONDITION, "Auth Request has already been handled")
    return None
