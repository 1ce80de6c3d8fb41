"""Users: added through the API, found by login name or id (through the cache), their passwords checked."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg.rows import DictRow

from zitadel_standin import errors, events, passwords
from zitadel_standin.errors import ApiError
from zitadel_standin.events import Event
from zitadel_standin.names import new_id
from zitadel_standin.node import Node

_PROFILE = """
SELECT id, login_name, given_name, family_name, email, extract(epoch FROM changed_at)::bigint AS changed_at
FROM identity.users WHERE {} = %(value)s
"""
_ADD = events.telling("""
changed AS (
    INSERT INTO identity.users (id, login_name, given_name, family_name, email, password_hash)
    VALUES (%(id)s, %(login_name)s, %(given_name)s, %(family_name)s, %(email)s, %(hash)s) RETURNING id, id AS creator
)""")
_BY_ID = _PROFILE.format("id")
_BY_LOGIN_NAME = _PROFILE.format("login_name")


async def by_id(node: Node, user_id: str) -> dict[str, Any] | None:
    """The user's profile, from the cache if it is there; None when there is no such user."""
    return await _profile(node, "user", user_id, _BY_ID)


async def by_login_name(node: Node, login_name: str) -> dict[str, Any] | None:
    """The user's profile by login name, from the cache if it is there; None when there is no such user."""
    return await _profile(node, "login_name", login_name.lower(), _BY_LOGIN_NAME)


async def add(node: Node, login_name: str, given_name: str, family_name: str, email: str, password: str) -> DictRow:
    """Add a user with a password; the row holds its id and what was told.

    ApiError when the login name is taken, or the password empty or longer than bcrypt reads.
    """
    if not password or len(password.encode()) > passwords.LONGEST:
        raise ApiError(errors.INVALID_ARGUMENT, "Password must have 1 to 72 bytes")
    password_hash = await asyncio.to_thread(passwords.hashed, password, node.settings.bcrypt_cost)
    user_id = new_id()
    told = Event("user", user_id, "user.human.added", {"userName": login_name})
    row = {
        "id": user_id,
        "login_name": login_name.lower(),
        "given_name": given_name,
        "family_name": family_name,
        "email": email,
        "hash": password_hash,
    }

    try:
        added = await node.database.change(_ADD, [told], row)
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "users_login_name_key":
            raise
        raise ApiError(errors.ALREADY_EXISTS, "User already exists") from None
    assert added is not None  # an INSERT without a conflict clause adds its row or fails
    return added


async def password_matches(password: str, password_hash: str) -> bool:
    """Check a password against its hash in a thread; no database connection is held while bcrypt works."""
    return await asyncio.to_thread(passwords.matches, password, password_hash)


async def _profile(node: Node, kind: str, key: str, query: str) -> dict[str, Any] | None:
    cached = await node.cache.get(kind, key)
    if cached is not None:
        return cached
    found = await node.database.one(query, {"value": key})
    if found is not None:
        await node.cache.put(kind, key, found)
    return found
