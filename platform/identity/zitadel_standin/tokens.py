"""Tokens: issued for a code, renewed, looked at and revoked. Only their fingerprints are stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from zitadel_standin import events, keys, metrics
from zitadel_standin.errors import OAuthError
from zitadel_standin.events import Event
from zitadel_standin.names import fingerprint, new_id, new_secret
from zitadel_standin.node import Node

LIFETIMES = {"access": 12 * 3600, "refresh": 30 * 24 * 3600}
"""Seconds; ZITADEL's defaults (for refresh tokens, its idle lifetime). An ID token lives as long as an access token."""

_CODE = """
SELECT id, client_id, redirect_uri, scope, nonce, challenge, session_id, user_id, authenticated_at
FROM identity.auth_requests WHERE code = %(spent)s AND code_expires_at > now()
"""
_FIND = """
SELECT g.*, t.kind, extract(epoch FROM t.expires_at)::bigint AS expires
FROM identity.tokens t JOIN identity.grants g ON g.id = t.grant_id
WHERE t.token = %(token)s AND t.expires_at > now()
"""
_ISSUE = """
issued AS (
    INSERT INTO identity.tokens (token, kind, grant_id, expires_at)
    SELECT t.token, t.kind, granted.id, now() + make_interval(secs => t.lifetime)
    FROM granted, unnest(%(tokens)s::bytea[], %(kinds)s::text[], %(lifetimes)s::int[]) AS t (token, kind, lifetime)
),
changed AS (SELECT id, %(user_id)s::text AS creator FROM granted)
"""
_EXCHANGE = events.telling(
    """
used AS (UPDATE identity.auth_requests SET code = NULL WHERE id = %(request)s AND code = %(spent)s RETURNING *),
granted AS (
    INSERT INTO identity.grants (id, session_id, user_id, client_id, scope, nonce, authenticated_at)
    SELECT %(id)s, session_id, user_id, client_id, scope, nonce, authenticated_at FROM used RETURNING id
),"""
    + _ISSUE
)
_REFRESH = events.telling(
    "granted AS (DELETE FROM identity.tokens WHERE token = %(spent)s RETURNING grant_id AS id)," + _ISSUE
)
_REVOKE_GRANT = events.telling("""
changed AS (DELETE FROM identity.grants WHERE id = %(id)s RETURNING user_id AS creator)
""")
_REVOKE_TOKEN = events.telling("""
changed AS (DELETE FROM identity.tokens WHERE token = %(token)s RETURNING %(user_id)s::text AS creator)
""")


async def exchange_code(node: Node, client_id: str, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
    """Tokens for a code, which works once (RFC 6749 section 4.1.3, RFC 7636 section 4.6); OAuthError otherwise."""
    spent = {"spent": fingerprint(code)}
    request = await node.database.one(_CODE, spent)
    if request is None:
        raise _invalid_grant("code", "the code is unknown, used or expired")
    if request["client_id"] != client_id or request["redirect_uri"] != redirect_uri:
        raise _invalid_grant("code", "the code was issued for another client or redirect_uri")
    if not hmac.compare_digest(_challenge(verifier), request["challenge"]):
        raise _invalid_grant("verifier", "code_verifier does not fit")
    grant = request | {"id": f"V2_{new_id()}", "request": request["id"]}
    told = [
        Event("auth_request", request["id"], "auth_request.code.exchanged"),
        Event("oidc_session", grant["id"], "oidc_session.added", {"clientID": client_id}),
    ]
    return await _issue(node, _EXCHANGE, grant | spent, told)


async def refresh(node: Node, client_id: str, refresh_token: str) -> dict[str, Any]:
    """New tokens for a refresh token, which works once; OAuthError when it is unknown, used or another client's."""
    grant = await look_up(node, refresh_token)
    if grant is None or grant["kind"] != "refresh" or grant["client_id"] != client_id:
        raise _invalid_grant("refresh_token", "the refresh token is unknown, used or expired")
    told = [Event("oidc_session", grant["id"], "oidc_session.refresh_token.renewed")]
    return await _issue(node, _REFRESH, grant | {"spent": fingerprint(refresh_token)}, told)


async def look_up(node: Node, token: str) -> dict[str, Any] | None:
    """The grant behind a live token, with the token's `kind` and `expires` (Unix seconds); None when there is none."""
    return await node.database.one(_FIND, {"token": fingerprint(token)})


async def revoke(node: Node, client_id: str, token: str) -> None:
    """Revoke a token; a refresh token takes its whole grant along (RFC 7009). An unknown token is no error."""
    grant = await look_up(node, token)
    if grant is None:
        return
    if grant["client_id"] != client_id:
        raise OAuthError("invalid_client", "the token was issued to another client", 401)
    statement = _REVOKE_GRANT if grant["kind"] == "refresh" else _REVOKE_TOKEN
    told = Event("oidc_session", grant["id"], f"oidc_session.{grant['kind']}_token.revoked")
    await node.database.change(statement, [told], grant | {"token": fingerprint(token)})


async def _issue(node: Node, statement: str, grant: dict[str, Any], told: list[Event]) -> dict[str, Any]:
    """Spend what was presented, store new tokens and write the events; the token endpoint's answer.

    OAuthError when another request has spent it meanwhile.
    """
    new = {"access": new_secret()} | ({"refresh": new_secret()} if "offline_access" in grant["scope"] else {})
    told = told + [Event("oidc_session", grant["id"], f"oidc_session.{kind}_token.added") for kind in new]
    tokens = {
        "tokens": [fingerprint(token) for token in new.values()],
        "kinds": list(new),
        "lifetimes": [LIFETIMES[kind] for kind in new],
    }
    if await node.database.change(statement, told, grant | tokens) is None:
        raise _invalid_grant("spent", "used by another request")
    answer = {f"{kind}_token": token for kind, token in new.items()}
    id_token = keys.sign(node.signing_key, _claims(node, grant, new["access"]))
    return answer | {"id_token": id_token, "token_type": "Bearer", "expires_in": LIFETIMES["access"]}


def _claims(node: Node, grant: dict[str, Any], access_token: str) -> dict[str, object]:
    """Claims of an ID token (OpenID Connect Core section 2 and 3.1.3.6)."""
    now = int(time.time())
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    claims: dict[str, object] = {
        "iss": node.settings.external_url,
        "sub": grant["user_id"],
        "aud": [grant["client_id"]],
        "azp": grant["client_id"],
        "client_id": grant["client_id"],
        "iat": now,
        "exp": now + LIFETIMES["access"],
        "auth_time": int(grant["authenticated_at"].timestamp()),
        "amr": ["pwd"],
        "sid": grant["session_id"],
        "at_hash": _base64url(half),
    }
    return claims | ({"nonce": grant["nonce"]} if grant["nonce"] else {})


def _challenge(verifier: str) -> str:
    return _base64url(hashlib.sha256(verifier.encode("utf-8", "replace")).digest())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _invalid_grant(reason: str, description: str) -> OAuthError:
    metrics.AUTH_FAILURES.labels(reason).inc()
    return OAuthError("invalid_grant", description)
