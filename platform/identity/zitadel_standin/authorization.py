"""The authorization endpoint and the auth request it makes, up to the code (RFC 6749 section 4.1, PKCE RFC 7636)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

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

_ADD = events.telling("""
changed AS (
    INSERT INTO identity.auth_requests (id, client_id, redirect_uri, scope, state, nonce, challenge)
    VALUES (%(id)s, %(client_id)s, %(redirect_uri)s, %(scope)s, %(state)s, %(nonce)s, %(challenge)s)
    RETURNING 'LOGIN' AS creator
)""")
_LINK = events.telling("""
changed AS (
    UPDATE identity.auth_requests r
    SET session_id = s.id, user_id = s.user_id, authenticated_at = s.password_checked_at, code = %(code)s,
        code_expires_at = now() + %(lifetime)s::interval
    FROM identity.sessions s
    WHERE r.id = %(id)s AND r.session_id IS NULL
      AND s.id = %(session)s AND s.token = %(token)s AND s.password_checked_at IS NOT NULL
    RETURNING r.redirect_uri, r.state, s.user_id AS creator
)""")


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
    query = "SELECT id, client_id, redirect_uri, scope, created_at FROM identity.auth_requests WHERE id = %(id)s"
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


def with_parameters(uri: str, **parameters: str) -> str:
    """The URI with the non-empty parameters added to its query."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(given)}" if given else uri


def _checked(query: Mapping[str, str]) -> dict[str, Any]:
    """The request's parameters, or the first reason to refuse it, told to the client by redirect."""
    uri, state = query["redirect_uri"], query.get("state", "")
    scope = query.get("scope", "").split()
    refusals = (
        (query.get("response_type") != "code", "unsupported_response_type", "only response_type=code is supported"),
        ("openid" not in scope, "invalid_scope", "scope must contain openid"),
        (query.get("code_challenge_method") != "S256", "invalid_request", "code_challenge_method must be S256"),
        (not CHALLENGE.fullmatch(query.get("code_challenge", "")), "invalid_request", "code_challenge is malformed"),
    )
    for refused, error, description in refusals:
        if refused:
            raise RedirectedError(uri, error, description, state)
    return {
        "client_id": query["client_id"],
        "redirect_uri": uri,
        "scope": list(dict.fromkeys(scope)),
        "state": state,
        "nonce": query.get("nonce", ""),
        "challenge": query["code_challenge"],
    }


async def _why_not(node: Node, request_id: str, session_id: str, token: bytes) -> ApiError:
    """The reason why nothing was linked, in the order ZITADEL looks."""
    query = "SELECT session_id IS NOT NULL AS handled FROM identity.auth_requests WHERE id = %(id)s"
    request = await node.database.one(query, {"id": request_id})
    if request is None:
        return ApiError(errors.NOT_FOUND, "Auth Request does not exist")
    if request["handled"]:
        return ApiError(errors.FAILED_PRECONDITION, "Auth Request has already been handled")
    query = "SELECT 1 FROM identity.sessions WHERE id = %(id)s AND token = %(token)s"
    if await node.database.one(query, {"id": session_id, "token": token}) is None:
        metrics.AUTH_FAILURES.labels("session_token").inc()
        return ApiError(errors.PERMISSION_DENIED, "Session Token is invalid")
    metrics.AUTH_FAILURES.labels("unchecked_session").inc()
    return ApiError(errors.FAILED_PRECONDITION, "Session has no checked password")
