"""The only form in which a run's token is written down for agents."""

from __future__ import annotations

import hashlib


def digest(token: str) -> str:
    """SHA-256 of a token, hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()
