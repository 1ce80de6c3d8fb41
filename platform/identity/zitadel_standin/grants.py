"""What earns tokens: an authorization code, a refresh token, or a machine that proved itself."""

from __future__ import annotations

import datetime
import hashlib
import hmac
from typing import Any

from zitadel_standin import clients, events, metrics, tokens
from zitadel_standin.errors import OAuthError
from zitadel_standin.events import Event
from zitadel_standin.names import fingerprint, new_id
from zitadel_standin.node import Node

_CODE = """
SELECT id, client_id, redirect_uri, scope, nonce, challenge, session_id, user_id, authenticated_at, grant_id,
       code_expires_at > now() AS live
FROM identity.auth_requests WHERE code = %(code)s
"""
# The session must still be there: a code of one that has ended since opens nothing.
_EXCHANGE = events.telling(
    """
used AS (
    UPDATE identity.auth_requests r SET grant_id = %(id)s WHERE id = %(request)s AND grant_id IS NULL
    AND EXISTS (SELECT FROM identity.sessions s WHERE s.id = r.session_id AND coalesce(s.expires_at > now(), true))
    RETURNING r.*
),
granted AS (
    INSERT INTO identity.grants (id, session_id, user_id, client_id, scope, nonce, authenticated_at)
    SELECT %(id)s, session_id, user_id, client_id, scope, nonce, authenticated_at FROM used RETURNING id
),"""
    + tokens.ISSUE
)
# As with ZITADEL's OIDC session, which holds one access token, a new one replaces the old. The spent refresh token
# stays until it expires, so that its reuse is noticed.
_REFRESH = events.telling(
    """
granted AS (
    UPDATE identity.tokens SET spent_at = now() WHERE token = %(spent)s AND spent_at IS NULL RETURNING grant_id AS id
),
replaced AS (DELETE FROM identity.tokens t USING granted WHERE t.grant_id = granted.id AND t.kind = 'access'),"""
    + tokens.ISSUE
)
_MACHINE = events.telling(
    """
granted AS (
    INSERT INTO identity.grants (id, user_id, client_id, scope, nonce, authenticated_at)
    VALUES (%(id)s, %(user_id)s, %(client_id)s, %(scope)s, '', now()) RETURNING id
),"""
    + tokens.ISSUE
)


async def exchange_code(node: Node, client_id: str, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
    """Tokens for a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6); OAuthError otherwise.

    A code works once. Used again, it is refused and what was issued for it is revoked (RFC 9700 section 4.5).
    """
    request = await node.database.one(_CODE, {"code": fingerprint(code)})
    if request is None:
        await clients.require_known(node, client_id)
        raise _invalid_grant("code", "the code is unknown, used or expired")
    if request["client_id"] != client_id:
        await clients.require_known(node, client_id)
    if request["client_id"] != client_id or request["redirect_uri"] != redirect_uri:
        raise _invalid_grant("code", "the code was issued for another client or redirect_uri")
    if request["grant_id"]:
        raise await _replayed(node, request["grant_id"], request["scope"])
    if not request["live"]:
        raise _invalid_grant("code", "the code is unknown, used or expired")
    if not hmac.compare_digest(_challenge(verifier), request["challenge"]):
        raise _invalid_grant("verifier", "code_verifier does not fit")
    grant = request | {"id": f"V2_{new_id()}", "request": request["id"]}
    told = [
        Event("auth_request", request["id"], "auth_request.code.exchanged"),
        Event("oidc_session", grant["id"], "oidc_session.added", {"clientID": client_id}),
    ]
    kinds = ("access", "refresh") if "offline_access" in request["scope"] else ("access",)
    answer = await tokens.issue(node, _EXCHANGE, grant, told, kinds)
    if answer is None:
        raise await _lost_the_race(node, code)
    return answer


async def refresh(node: Node, client_id: str, refresh_token: str, scope: str) -> dict[str, Any]:
    """New tokens for a refresh token, optionally with less scope; OAuthError otherwise.

    A refresh token works once. Used again, by whomever, its whole family is revoked (RFC 9700 section 4.14.2).
    """
    grant = await tokens.look_up(node, refresh_token)
    if grant is None or grant["kind"] != "refresh" or grant["client_id"] != client_id:
        await clients.require_known(node, client_id)
        raise _invalid_grant("refresh_token", "the refresh token is unknown, used or expired")
    if grant["spent"]:
        raise await _reused(node, grant)
    asked = list(dict.fromkeys(scope.split()))
    if not set(asked) <= set(grant["scope"]):
        raise OAuthError("invalid_scope", "scope must not exceed what was granted")
    told = [Event("oidc_session", grant["id"], "oidc_session.refresh_token.renewed")]
    spent = {"spent": fingerprint(refresh_token), "narrowed": asked or None}
    answer = await tokens.issue(node, _REFRESH, grant | spent, told, ("access", "refresh"))
    if answer is None:
        raise await _reused(node, grant)
    return answer


async def for_machine(node: Node, user: dict[str, Any], scope: str, proven: list[Event]) -> dict[str, Any]:
    """Tokens for a machine user that has proven itself; `proven` are the events that say how."""
    asked = list(dict.fromkeys(scope.split()))
    grant = {
        "id": f"V2_{new_id()}",
        "session_id": None,
        "user_id": user["id"],
        "client_id": user["login_name"],
        "scope": asked,
        "nonce": "",
        "authenticated_at": datetime.datetime.now(datetime.UTC),
    }
    told = [*proven, Event("oidc_session", grant["id"], "oidc_session.added", {"clientID": user["login_name"]})]
    answer = await tokens.issue(node, _MACHINE, grant, told, ("access",))
    assert answer is not None  # an INSERT of values adds its row or fails
    return answer | ({"scope": " ".join(asked)} if asked else {})


async def _replayed(node: Node, grant_id: str, scope: list[str]) -> OAuthError:
    await tokens.revoke_grant(node, grant_id, scope)
    return _invalid_grant("code_replayed", "the code is unknown, used or expired")


async def _lost_the_race(node: Node, code: str) -> OAuthError:
    """Nothing was granted: another request used the code at the same moment, or its session has ended."""
    request = await node.database.one(_CODE, {"code": fingerprint(code)})
    if request and request["grant_id"]:
        return await _replayed(node, request["grant_id"], request["scope"])
    return _invalid_grant("code", "the session of this code has ended")


async def _reused(node: Node, grant: dict[str, Any]) -> OAuthError:
    await tokens.revoke_grant(node, grant["id"], grant["scope"])
    return _invalid_grant("refresh_token_reused", "the refresh token is unknown, used or expired")


def _challenge(verifier: str) -> str:
    return tokens.base64url(hashlib.sha256(verifier.encode("utf-8", "replace")).digest())


def _invalid_grant(reason: str, description: str) -> OAuthError:
    metrics.AUTH_FAILURES.labels(reason).inc()
    return OAuthError("invalid_grant", description)
