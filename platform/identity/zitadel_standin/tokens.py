"""Tokens: issued for a grant, looked at and revoked. Only their fingerprints are stored."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

from zitadel_standin import events, keys
from zitadel_standin.errors import OAuthError
from zitadel_standin.events import Event
from zitadel_standin.names import fingerprint, new_secret
from zitadel_standin.node import Node

LIFETIMES = {"access": 12 * 3600, "refresh": 30 * 24 * 3600}
"""Seconds; ZITADEL's defaults (for refresh tokens, its idle lifetime). An ID token lives as long as an access token."""

ISSUE = """
issued AS (
    INSERT INTO identity.tokens (token, kind, grant_id, expires_at, scope)
    SELECT t.token, t.kind, granted.id, now() + make_interval(secs => t.lifetime),
           CASE WHEN t.kind = 'access' THEN %(narrowed)s::text[] END
    FROM granted, unnest(%(tokens)s::bytea[], %(kinds)s::text[], %(lifetimes)s::int[]) AS t (token, kind, lifetime)
),
changed AS (SELECT id, %(user_id)s::text AS creator FROM granted)
"""
"""The end of every statement that issues tokens; a table expression `granted` with the grant's id stands before it."""

_FIND = """
SELECT g.id, g.session_id, g.user_id, g.client_id, g.nonce, g.authenticated_at, coalesce(t.scope, g.scope) AS scope,
       t.kind, t.spent_at IS NOT NULL AS spent, extract(epoch FROM t.expires_at)::bigint AS expires
FROM identity.tokens t JOIN identity.grants g ON g.id = t.grant_id
WHERE t.token = %(token)s AND t.expires_at > now()
"""
_REVOKE_GRANT = events.telling("""
changed AS (DELETE FROM identity.grants WHERE id = %(id)s RETURNING user_id AS creator)
""")
_REVOKE_TOKEN = events.telling("""
changed AS (DELETE FROM identity.tokens WHERE token = %(token)s RETURNING %(user_id)s::text AS creator)
""")


async def look_up(node: Node, token: str) -> dict[str, Any] | None:
    """The grant behind a token that has not expired, None when there is none.

    Beside the grant's columns: the token's `kind`, whether it is `spent`, and `expires` (Unix seconds).
    """
    return await node.database.one(_FIND, {"token": fingerprint(token)})


async def revoke(node: Node, client_id: str, token: str) -> None:
    """Revoke a token; a refresh token takes its whole grant along (RFC 7009). An unknown token is no error."""
    grant = await look_up(node, token)
    if grant is None:
        return
    if grant["client_id"] != client_id:
        raise OAuthError("unauthorized_client", "the token was issued to another client")
    if grant["kind"] == "refresh":
        await revoke_grant(node, grant["id"], grant["scope"])
        return
    told = [Event("oidc_session", grant["id"], "oidc_session.access_token.revoked")]
    await node.database.change(_REVOKE_TOKEN, told, grant | {"token": fingerprint(token)})


async def revoke_grant(node: Node, grant_id: str, scope: list[str]) -> None:
    """Revoke every token of a grant; one that is gone already is no error."""
    kinds = ("access", "refresh") if "offline_access" in scope else ("access",)
    told = [Event("oidc_session", grant_id, f"oidc_session.{kind}_token.revoked") for kind in kinds]
    await node.database.change(_REVOKE_GRANT, told, {"id": grant_id})


async def issue(
    node: Node, statement: str, grant: dict[str, Any], told: list[Event], kinds: tuple[str, ...]
) -> dict[str, Any] | None:
    """Store new tokens by a statement that ends in ISSUE and write the events; the token endpoint's answer.

    `grant` has id, session_id, user_id, client_id, scope, nonce, authenticated_at and what the statement needs beside;
    `narrowed` in it is the access token's own scope. None when the statement granted nothing.
    """
    new = {kind: new_secret() for kind in kinds}
    told = told + [Event("oidc_session", grant["id"], f"oidc_session.{kind}_token.added") for kind in new]
    stored = {
        "narrowed": None,
        "tokens": [fingerprint(token) for token in new.values()],
        "kinds": list(new),
        "lifetimes": [LIFETIMES[kind] for kind in new],
    }
    if await node.database.change(statement, told, stored | grant) is None:
        return None
    answer: dict[str, Any] = {f"{kind}_token": token for kind, token in new.items()}
    answer |= {"token_type": "Bearer", "expires_in": LIFETIMES["access"]}
    if "openid" in (grant.get("narrowed") or grant["scope"]):
        answer["id_token"] = keys.sign(node.signing_key, _claims(node, grant, new["access"]))
    return answer


def base64url(value: bytes) -> str:
    """Base64url without padding (RFC 7515 appendix C)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _claims(node: Node, grant: dict[str, Any], access_token: str) -> dict[str, object]:
    """Claims of an ID token (OpenID Connect Core section 2 and 3.1.3.6); a machine has no session and no password."""
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
        "at_hash": base64url(half),
    }
    if grant["session_id"]:
        claims |= {"amr": ["pwd"], "sid": grant["session_id"]}
    return claims | ({"nonce": grant["nonce"]} if grant["nonce"] else {})
