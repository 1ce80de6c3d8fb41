"""Users: added through the API, found by login name or id (through the cache), their passwords checked."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from zitadel_standin import errors, events, passwords
from zitadel_standin.database import Connection
from zitadel_standin.errors import ApiError
from zitadel_standin.events import Event, Pushed
from zitadel_standin.names import new_id
from zitadel_standin.node import Node

_PROFILE = """
SELECT id, login_name, given_name, family_name, email, extract(epoch FROM changed_at)::bigint AS changed_at
FROM identity.users WHERE {} = %(value)s
"""
_BY_ID = _PROFILE.format("id")
_BY_LOGIN_NAME = _PROFILE.format("login_name")


async def by_id(node: Node, user_id: str) -> dict[str, Any] | None:
    """The user's profile, from the cache if it is there; None when there is no such user."""
    return await _profile(node, "user", user_id, _BY_ID)


async def by_login_name(node: Node, login_name: str) -> dict[str, Any] | None:
    """The user's profile by login name, from the cache if it is there; None when there is no such user."""
    return await _profile(node, "login_name", login_name.lower(), _BY_LOGIN_NAME)


async def add(node: Node, login_name: str, given_name: str, family_name: str, email: str, password: str) -> Added:
    """Add a user with a password; ApiError when the name is taken or the password longer than bcrypt reads."""
    if not password or len(password.encode()) > passwords.LONGEST:
        raise ApiError(errors.INVALID_ARGUMENT, "Password must have 1 to 72 bytes")
    password_hash = await asyncio.to_thread(passwords.hashed, password, node.settings.bcrypt_cost)
    user_id = new_id()
    row = {
        "id": user_id,
        "login_name": login_name.lower(),
        "given_name": given_name,
        "family_name": family_name,
        "email": email,
        "hash": password_hash,
    }

    async def work(connection: Connection) -> Pushed:
        await connection.execute(
            "INSERT INTO identity.users (id, login_name, given_name, family_name, email, password_hash)"
            " VALUES (%(id)s, %(login_name)s, %(given_name)s, %(family_name)s, %(email)s, %(hash)s)",
            row,
        )
        return await events.push(
            connection, [Event("user", user_id, "user.human.added", user_id, {"userName": login_name})]
        )

    try:
        return user_id, await node.database.transaction(work)
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "users_login_name_key":
            raise
        raise ApiError(errors.ALREADY_EXISTS, "User already exists") from None


async def password_is_right(node: Node, user_id: str, password: str) -> bool:
    """Check a password against the database, never the cache; no connection is held while bcrypt works."""
    query = "SELECT password_hash FROM identity.users WHERE id = %(id)s"
    found = await node.database.one(query, {"id": user_id})
    if found is None:
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    return await asyncio.to_thread(passwords.matches, password, found["password_hash"])


async def _profile(node: Node, kind: str, key: str, query: str) -> dict[str, Any] | None:
    cached = await node.cache.get(kind, key)
    if cached is not None:
        return cached
    found = await node.database.one(query, {"value": key})
    if found is not None:
        await node.cache.put(kind, key, found)
    return found


Added = tuple[str, Pushed]
"""Id of the new user and its event."""
