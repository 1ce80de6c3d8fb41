"""Tokens: issued for a code, renewed, looked at and revoked. Only their fingerprints are stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from zitadel_standin import events, keys, metrics
from zitadel_standin.database import Connection
from zitadel_standin.errors import OAuthError
from zitadel_standin.events import Event
from zitadel_standin.names import fingerprint, new_id, new_secret
from zitadel_standin.node import Node

ACCESS_LIFETIME = 12 * 3600
"""Seconds; ZITADEL's default for access and ID tokens."""
REFRESH_LIFETIME = 30 * 24 * 3600
"""Seconds; ZITADEL's idle lifetime of refresh tokens."""

_CODE = """
SELECT id, client_id, redirect_uri, scope, nonce, challenge, session_id, user_id, authenticated_at
FROM identity.auth_requests WHERE code = %(code)s AND code_expires_at > now() FOR UPDATE
"""
_GRANT = """
INSERT INTO identity.grants (id, session_id, user_id, client_id, scope, nonce, authenticated_at)
VALUES (%(id)s, %(session_id)s, %(user_id)s, %(client_id)s, %(scope)s, %(nonce)s, %(authenticated_at)s)
"""
_KEEP = """
INSERT INTO identity.tokens (token, kind, grant_id, expires_at)
VALUES (%(token)s, %(kind)s, %(grant)s, now() + make_interval(secs => %(lifetime)s))
"""
_FIND = """
SELECT g.*, t.kind, extract(epoch FROM t.expires_at)::bigint AS expires
FROM identity.tokens t JOIN identity.grants g ON g.id = t.grant_id
WHERE t.token = %(token)s AND t.expires_at > now()
"""


async def exchange_code(node: Node, client_id: str, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
    """Tokens for a code, which works once (RFC 6749 section 4.1.3, RFC 7636 section 4.6); OAuthError otherwise."""

    async def work(connection: Connection) -> dict[str, Any]:
        request = await (await connection.execute(_CODE, {"code": fingerprint(code)})).fetchone()
        if request is None:
            raise _invalid_grant("code", "the code is unknown, used or expired")
        if request["client_id"] != client_id or request["redirect_uri"] != redirect_uri:
            raise _invalid_grant("code", "the code was issued for another client or redirect_uri")
        if not hmac.compare_digest(_challenge(verifier), request["challenge"]):
            raise _invalid_grant("verifier", "code_verifier does not fit")
        await connection.execute("UPDATE identity.auth_requests SET code = NULL WHERE id = %(id)s", request)
        grant = request | {"id": f"V2_{new_id()}"}
        await connection.execute(_GRANT, grant)
        told = [
            Event("auth_request", request["id"], "auth_request.code.exchanged", grant["user_id"]),
            Event("oidc_session", grant["id"], "oidc_session.added", grant["user_id"], {"clientID": client_id}),
        ]
        return await _issue(node, connection, grant, told)

    return await node.database.transaction(work)


async def refresh(node: Node, client_id: str, refresh_token: str) -> dict[str, Any]:
    """New tokens for a refresh token, which works once; OAuthError when it is unknown, used or another client's."""

    async def work(connection: Connection) -> dict[str, Any]:
        row = {"token": fingerprint(refresh_token)}
        grant = await (await connection.execute(_FIND + " FOR UPDATE", row)).fetchone()
        if grant is None or grant["kind"] != "refresh" or grant["client_id"] != client_id:
            raise _invalid_grant("refresh_token", "the refresh token is unknown, used or expired")
        await connection.execute("DELETE FROM identity.tokens WHERE token = %(token)s", row)
        told = Event("oidc_session", grant["id"], "oidc_session.refresh_token.renewed", grant["user_id"])
        return await _issue(node, connection, grant, [told])

    return await node.database.transaction(work)


async def look_up(node: Node, token: str) -> dict[str, Any] | None:
    """The grant behind a live token, with the token's `kind` and `expires` (Unix seconds); None when there is none."""
    return await node.database.one(_FIND, {"token": fingerprint(token)})


async def revoke(node: Node, client_id: str, token: str) -> None:
    """Revoke a token; a refresh token takes its whole grant along (RFC 7009). An unknown token is no error."""

    async def work(connection: Connection) -> None:
        grant = await (await connection.execute(_FIND, {"token": fingerprint(token)})).fetchone()
        if grant is None:
            return
        if grant["client_id"] != client_id:
            raise OAuthError("invalid_client", "the token was issued to another client", 401)
        if grant["kind"] == "refresh":
            await connection.execute("DELETE FROM identity.grants WHERE id = %(id)s", grant)
        else:
            await connection.execute("DELETE FROM identity.tokens WHERE token = %(t)s", {"t": fingerprint(token)})
        name = f"oidc_session.{grant['kind']}_token.revoked"
        await events.push(connection, [Event("oidc_session", grant["id"], name, grant["user_id"])])

    await node.database.transaction(work)


async def _issue(node: Node, connection: Connection, grant: dict[str, Any], told: list[Event]) -> dict[str, Any]:
    """Store new tokens for the grant, write the events, and return the token endpoint's answer."""
    access_token = new_secret()
    answer: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer", "expires_in": ACCESS_LIFETIME}
    await _keep(connection, access_token, "access", grant["id"], ACCESS_LIFETIME)
    told.append(Event("oidc_session", grant["id"], "oidc_session.access_token.added", grant["user_id"]))
    if "offline_access" in grant["scope"]:
        answer["refresh_token"] = new_secret()
        await _keep(connection, answer["refresh_token"], "refresh", grant["id"], REFRESH_LIFETIME)
        if told[0].event_type != "oidc_session.refresh_token.renewed":
            told.append(Event("oidc_session", grant["id"], "oidc_session.refresh_token.added", grant["user_id"]))
    await events.push(connection, told)
    answer["id_token"] = keys.sign(node.signing_key, _claims(node, grant, access_token))
    return answer


async def _keep(connection: Connection, token: str, kind: str, grant_id: str, lifetime: int) -> None:
    row = {"token": fingerprint(token), "kind": kind, "grant": grant_id, "lifetime": lifetime}
    await connection.execute(_KEEP, row)


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
        "exp": now + ACCESS_LIFETIME,
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
