"""The authorization endpoint and the auth request it makes, up to the code (RFC 6749 section 4.1, PKCE RFC 7636)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from zitadel_standin import errors, events, metrics
from zitadel_standin.database import Connection
from zitadel_standin.errors import ApiError, OAuthError, RedirectedError
from zitadel_standin.events import Event, Pushed
from zitadel_standin.names import fingerprint, new_id, new_secret
from zitadel_standin.node import Node

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""Base64url of a SHA-256, without padding (RFC 7636 section 4.2)."""
CODE_LIFETIME = "10 minutes"
"""The longest RFC 6749 section 4.1.2 recommends."""

_ADD = """
INSERT INTO identity.auth_requests (id, client_id, redirect_uri, scope, state, nonce, challenge)
VALUES (%(id)s, %(client_id)s, %(redirect_uri)s, %(scope)s, %(state)s, %(nonce)s, %(challenge)s)
"""
_LINK = """
UPDATE identity.auth_requests SET session_id = %(session)s, user_id = %(user)s, authenticated_at = %(at)s,
       code = %(code)s, code_expires_at = now() + %(lifetime)s::interval
WHERE id = %(id)s AND session_id IS NULL RETURNING redirect_uri, state
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
    told = Event("auth_request", request["id"], "auth_request.added", "LOGIN", {"clientID": request["client_id"]})

    async def work(connection: Connection) -> None:
        await connection.execute(_ADD, request)
        await events.push(connection, [told])

    await node.database.transaction(work)
    metrics.AUTH_REQUESTS.inc()
    return str(request["id"])


async def show(node: Node, request_id: str) -> dict[str, Any]:
    """The auth request for a login page to show; ApiError when there is none."""
    query = "SELECT id, client_id, redirect_uri, scope, created_at FROM identity.auth_requests WHERE id = %(id)s"
    found = await node.database.one(query, {"id": request_id})
    if found is None:
        raise ApiError(errors.NOT_FOUND, "Auth Request does not exist")
    return found


async def finish(node: Node, request_id: str, session_id: str, session_token: str) -> tuple[str, Pushed]:
    """Link a checked session to the auth request; the callback URL with code and state, and the event that told it.

    ApiError: wrong session token, password not checked yet, no such auth request, or one already handled.
    """
    code = new_secret()

    async def work(connection: Connection) -> tuple[str, Pushed]:
        session = await _checked_session(connection, session_id, session_token)
        row = {"id": request_id, "session": session_id, "user": session["user_id"], "lifetime": CODE_LIFETIME}
        row |= {"code": fingerprint(code), "at": session["password_checked_at"]}
        linked = await (await connection.execute(_LINK, row)).fetchone()
        if linked is None:
            await _refuse(connection, request_id)
        told = ("auth_request.session.linked", "auth_request.code.added")
        pushed = await events.push(
            connection, [Event("auth_request", request_id, name, session["user_id"]) for name in told]
        )
        assert linked is not None
        return with_parameters(linked["redirect_uri"], code=code, state=linked["state"]), pushed

    return await node.database.transaction(work)


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


async def _checked_session(connection: Connection, session_id: str, session_token: str) -> dict[str, Any]:
    query = "SELECT token, user_id, password_checked_at FROM identity.sessions WHERE id = %(id)s FOR SHARE"
    session = await (await connection.execute(query, {"id": session_id})).fetchone()
    if session is None or not hmac.compare_digest(bytes(session["token"]), fingerprint(session_token)):
        metrics.AUTH_FAILURES.labels("session_token").inc()
        raise ApiError(errors.PERMISSION_DENIED, "Session Token is invalid")
    if session["password_checked_at"] is None:
        metrics.AUTH_FAILURES.labels("unchecked_session").inc()
        raise ApiError(errors.FAILED_PRECONDITION, "Session has no checked password")
    return session


async def _refuse(connection: Connection, request_id: str) -> None:
    query = "SELECT 1 FROM identity.auth_requests WHERE id = %(id)s"
    if await (await connection.execute(query, {"id": request_id})).fetchone():
        raise ApiError(errors.FAILED_PRECONDITION, "Auth Request has already been handled")
    raise ApiError(errors.NOT_FOUND, "Auth Request does not exist")
