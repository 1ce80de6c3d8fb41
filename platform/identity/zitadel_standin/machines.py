"""Machine users: their secrets and keys, and the checks of both (client credentials, RFC 7523 assertions)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime
import time
from typing import Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from psycopg.rows import DictRow

from zitadel_standin import errors, events, metrics, passwords
from zitadel_standin.errors import ApiError, OAuthError
from zitadel_standin.events import Event
from zitadel_standin.names import new_id, new_secret
from zitadel_standin.node import Node

SECRET_COST = 4
"""bcrypt cost of client secrets, ZITADEL's `SystemDefaults.SecretHasher`: they are random, not chosen by people."""
LONGEST_ASSERTION = 3600
"""Seconds between now and an assertion's `iat`, ZITADEL's bound."""
LEEWAY = 5
"""Seconds the clocks of a machine and of this node may differ."""
UNKNOWN = passwords.hashed(new_secret(), SECRET_COST)
"""Checked when there is no such machine, so that the answer takes as long."""

_SECRET = events.telling("""
changed AS (
    UPDATE identity.users SET secret_hash = %(hash)s, changed_at = now()
    WHERE id = %(id)s AND kind = 'machine' RETURNING id, id AS creator
)""")
_KEY = events.telling("""
changed AS (
    INSERT INTO identity.machine_keys (id, user_id, public_key, expires_at)
    SELECT %(key)s, u.id, %(public)s, %(expires)s FROM identity.users u WHERE u.id = %(id)s AND u.kind = 'machine'
    RETURNING id, user_id AS creator
)""")
_KEY_AWAY = events.telling("""
changed AS (
    DELETE FROM identity.machine_keys WHERE id = %(key)s AND user_id = %(id)s RETURNING id, user_id AS creator
)""")
_BY_NAME = "SELECT id, login_name, secret_hash FROM identity.users WHERE login_name = %(name)s AND kind = 'machine'"
_BY_KEY = """
SELECT u.id, u.login_name, k.public_key FROM identity.machine_keys k JOIN identity.users u ON u.id = k.user_id
WHERE k.id = %(key)s AND k.expires_at > now()
"""


async def set_secret(node: Node, user_id: str, remove: bool = False) -> tuple[str, DictRow]:
    """Give a machine a new secret, or take it away; the secret, shown only now, and what was told. ApiError."""
    secret = new_secret()
    hashed = None if remove else await asyncio.to_thread(passwords.hashed, secret, SECRET_COST)
    told = Event("user", user_id, f"user.machine.secret.{'removed' if remove else 'set'}")
    return secret, _changed(await node.database.change(_SECRET, [told], {"id": user_id, "hash": hashed}))


async def add_key(
    node: Node, user_id: str, expires: datetime.datetime, public_key: str
) -> tuple[str, bytes | None, DictRow]:
    """Register a key: its id, the key file as ZITADEL writes it if the pair was made here, what was told. ApiError."""
    key_id, content = new_id(), None
    try:
        pair = await asyncio.to_thread(_key_pair, public_key)
    except (JoseError, ValueError, TypeError):
        raise ApiError(errors.INVALID_ARGUMENT, "publicKey is not an RSA key of 2048 bits or more") from None
    if pair.is_private:
        private = pair.as_pem(private=True).decode()
        file = {"type": "serviceaccount", "keyId": key_id, "key": private, "userId": user_id}
        content = msgspec.json.encode(file | {"expirationDate": expires})
    told = Event("user", user_id, "user.machine.key.added", {"keyId": key_id, "expirationDate": expires.isoformat()})
    row = {"id": user_id, "key": key_id, "public": pair.as_pem(private=False).decode(), "expires": expires}
    return key_id, content, _changed(await node.database.change(_KEY, [told], row))


async def remove_key(node: Node, user_id: str, key_id: str) -> DictRow:
    """Take a key away; ApiError when the machine has no such key."""
    told = Event("user", user_id, "user.machine.key.removed", {"keyId": key_id})
    return _changed(await node.database.change(_KEY_AWAY, [told], {"id": user_id, "key": key_id}))


async def by_secret(node: Node, name: str, secret: str) -> tuple[dict[str, Any], list[Event]]:
    """The machine of this name, if the secret is its own, and the event that tells so; OAuthError otherwise."""
    user = await node.database.one(_BY_NAME, {"name": name.lower()})
    stored = (user and user["secret_hash"]) or UNKNOWN
    if await asyncio.to_thread(passwords.matches, secret, stored) and user:
        return user, [Event("user", user["id"], "user.machine.secret.check.succeeded")]
    metrics.AUTH_FAILURES.labels("client").inc()
    if user:
        told = [Event("user", user["id"], "user.machine.secret.check.failed")]
        await node.database.change(events.JUST_TELL, told, {"creator": user["id"]})
    raise OAuthError("invalid_client", "unknown client or wrong credentials", 401)


async def by_assertion(node: Node, assertion: str) -> dict[str, Any] | None:
    """The machine that signed the assertion (RFC 7523), which must name it as issuer and subject; None when wrong."""
    try:
        key_id = jws.extract_compact(assertion.encode()).headers().get("kid")
    except (JoseError, ValueError, RecursionError):
        return None
    user = await node.database.one(_BY_KEY, {"key": key_id}) if isinstance(key_id, str) else None
    if user is None:
        return None
    try:
        claims = jwt.decode(assertion, RSAKey.import_key(user["public_key"]), algorithms=["RS256"]).claims
        _registry(node, [user["id"], user["login_name"]]).validate(claims)
        recent = claims["iat"] > time.time() - LONGEST_ASSERTION - LEEWAY
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
    return user if recent else None


def decoded_key(value: str) -> str:
    """A public key as the API carries it: base64 of PEM; ApiError when it is not."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ApiError(errors.INVALID_ARGUMENT, "publicKey must be base64 of a PEM") from None


def _key_pair(public_key: str) -> RSAKey:
    key = RSAKey.import_key(public_key) if public_key else RSAKey.generate_key(2048, private=True)
    if public_key and (key.is_private or key.public_key.key_size < 2048):
        raise ValueError("not a public key of 2048 bits")
    return key


def _registry(node: Node, names: list[str]) -> jwt.JWTClaimsRegistry:
    issuer = node.settings.external_url
    own = jwt.ClaimsOption(essential=True, values=names)
    return jwt.JWTClaimsRegistry(
        leeway=LEEWAY,
        iss=own,
        sub=own,
        aud={"essential": True, "values": [issuer, f"{issuer}/oauth/v2/token"]},
        iat={"essential": True},
        exp={"essential": True},
    )


def _changed(told: DictRow | None) -> DictRow:
    if told is None:
        raise ApiError(errors.NOT_FOUND, "Machine user or key could not be found")
    return told
