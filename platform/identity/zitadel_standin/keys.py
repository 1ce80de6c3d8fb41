"""The signing key of ID tokens: one RSA key for all nodes, kept in PostgreSQL, encrypted under the masterkey."""

from __future__ import annotations

import msgspec
from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, RSAKey

from zitadel_standin.database import Connection
from zitadel_standin.names import new_id

ALGORITHM = "RS256"
"""ZITADEL's default, and the one algorithm every OIDC client must know (OIDC Core section 15.1)."""


class WrongMasterkey(Exception):
    """The stored signing key does not open with this node's masterkey."""


async def load_or_create(connection: Connection, masterkey: bytes) -> RSAKey:
    """The platform's signing key; the first node makes it. Call it under the setup lock."""
    found = await (await connection.execute("SELECT sealed FROM identity.signing_keys LIMIT 1")).fetchone()
    if found:
        return _open(found["sealed"], masterkey)
    key = RSAKey.generate_key(2048, {"kid": new_id(), "use": "sig", "alg": ALGORITHM}, private=True)
    await connection.execute(
        "INSERT INTO identity.signing_keys (id, sealed) VALUES (%(id)s, %(sealed)s)",
        {"id": key.kid, "sealed": _seal(key, masterkey)},
    )
    return key


def public_set(key: RSAKey) -> dict[str, list[dict[str, object]]]:
    """The JWK set to publish: public parts only."""
    return {"keys": [dict(key.as_dict(private=False))]}


def sign(key: RSAKey, claims: dict[str, object]) -> str:
    """A signed JWT."""
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key)


def _seal(key: RSAKey, masterkey: bytes) -> str:
    content = msgspec.json.encode(key.as_dict(private=True))
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, content, OctKey.import_key(masterkey))


def _open(sealed: str, masterkey: bytes) -> RSAKey:
    try:
        content = jwe.decrypt_compact(sealed, OctKey.import_key(masterkey)).plaintext
    except (JoseError, ValueError):
        raise WrongMasterkey("the stored signing key does not open with this masterkey") from None
    return RSAKey.import_key(msgspec.json.decode(content or b""))
