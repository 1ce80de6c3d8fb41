"""bcrypt password hashes. Both functions are slow on purpose: call them in a thread (bcrypt releases the GIL)."""

from __future__ import annotations

import bcrypt

LONGEST = 72
"""Bytes; bcrypt reads no further, and a longer password is refused rather than cut."""


def hashed(password: str, cost: int) -> str:
    """A salted hash; ValueError for a password of more than 72 bytes."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def matches(password: str, password_hash: str) -> bool:
    """Whether the password belongs to the hash; False for one that could never have been set."""
    try:
        return bcrypt.checkpw(password.encode(), password_hash.encode())
    except ValueError:
        return False
