"""Ids and secret values, and how a secret value is stored."""

from __future__ import annotations

import hashlib
import secrets

LOGIN_CLIENT = "blinkchamber-login"
"""The public application people log in to."""
API_CLIENT = "blinkchamber-api"
"""The application that may introspect tokens."""


def new_id() -> str:
    """A decimal id of 18 digits, the shape of ZITADEL's."""
    return str(10**17 + secrets.randbelow(9 * 10**17))


def new_secret() -> str:
    """A token, code or session token: 256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> bytes:
    """What is stored of a secret value. It is random, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
