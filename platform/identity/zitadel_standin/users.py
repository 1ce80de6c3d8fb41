"""Users: people and machines, added and removed through the API, found by login name or id (through the cache)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import DictRow

from zitadel_standin import errors, events, passwords
from zitadel_standin.errors import ApiError
from zitadel_standin.events import Event
from zitadel_standin.names import new_id
from zitadel_standin.node import Node

LONGEST = 200
"""Longest name, address or id accepted, in characters, as ZITADEL's API validates."""
BCRYPT = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")
"""The one kind of password hash that is accepted ready-made."""

_PROFILE = """
SELECT id, kind, login_name, given_name, family_name, email, email_verified,
       extract(epoch FROM changed_at)::bigint AS changed_at
FROM identity.users WHERE {} = %(value)s
"""
_BY_ID = _PROFILE.format("id")
_BY_LOGIN_NAME = _PROFILE.format("login_name")
_ADD = events.telling("""
changed AS (
    INSERT INTO identity.users
        (id, kind, login_name, given_name, family_name, email, email_verified, description, password_hash)
    VALUES (%(id)s, %(kind)s, %(login_name)s, %(given_name)s, %(family_name)s, %(email)s, %(email_verified)s,
            %(description)s, %(hash)s)
    RETURNING id, id AS creator
)""")
_REMOVE = events.telling("""
changed AS (DELETE FROM identity.users WHERE id = %(id)s RETURNING id, login_name, id AS creator)
""")


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who is to be added; a machine has a name in place of a person's two, and no mail address."""

    kind: str
    login_name: str
    given_name: str
    family_name: str = ""
    email: str = ""
    email_verified: bool = False
    description: str = ""
    user_id: str = ""
    password: str = field(default="", repr=False)
    password_hash: str = field(default="", repr=False)


async def by_id(node: Node, user_id: str) -> dict[str, Any] | None:
    """The user's profile, from the cache if it is there; None when there is no such user."""
    return await _profile(node, "user", user_id, _BY_ID)


async def by_login_name(node: Node, login_name: str) -> dict[str, Any] | None:
    """The user's profile by login name, from the cache if it is there; None when there is no such user."""
    return await _profile(node, "login_name", login_name.lower(), _BY_LOGIN_NAME)


async def add(node: Node, new: NewUser) -> DictRow:
    """Add a user; the row holds the id and what was told. ApiError for a bad value, or when name or id are taken."""
    human = new.kind == "human"
    named = (new.login_name, new.given_name, *((new.family_name, new.email) if human else ()))
    if not all(0 < len(text) <= LONGEST for text in named) or max(len(new.user_id), len(new.description)) > LONGEST:
        raise ApiError(errors.INVALID_ARGUMENT, f"names and addresses must have 1 to {LONGEST} characters")
    row = {
        "id": new.user_id or new_id(),
        "kind": new.kind,
        "login_name": new.login_name.lower(),
        "given_name": new.given_name,
        "family_name": new.family_name,
        "email": new.email,
        "email_verified": new.email_verified,
        "description": new.description,
        "hash": await _hash_of(new, node.settings.bcrypt_cost),
    }
    told = Event("user", row["id"], f"user.{new.kind}.added", {"userName": new.login_name})
    try:
        added = await node.database.change(_ADD, [told], row)
    except psycopg.errors.UniqueViolation as error:
        if error.diag.table_name != "users":
            raise
        raise ApiError(errors.ALREADY_EXISTS, "User already exists") from None
    assert added is not None  # an INSERT without a conflict clause adds its row or fails
    return added


async def remove(node: Node, user_id: str) -> DictRow:
    """Remove a user with their sessions, grants, keys and tokens; ApiError when there is no such user."""
    removed = await node.database.change(_REMOVE, [Event("user", user_id, "user.removed")], {"id": user_id})
    if removed is None:
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    await node.cache.drop("user", user_id)
    await node.cache.drop("login_name", removed["login_name"])
    return removed


async def password_matches(password: str, password_hash: str) -> bool:
    """Check a password against its hash in a thread; no database connection is held while bcrypt works."""
    return await asyncio.to_thread(passwords.matches, password, password_hash)


async def _hash_of(new: NewUser, cost: int) -> str | None:
    if new.password_hash:
        if not BCRYPT.fullmatch(new.password_hash):
            raise ApiError(errors.INVALID_ARGUMENT, "hashedPassword must be a bcrypt hash")
        return new.password_hash
    if not new.password:
        return None
    if len(new.password.encode("utf-8", "replace")) > passwords.LONGEST:
        raise ApiError(errors.INVALID_ARGUMENT, f"Password must have 1 to {passwords.LONGEST} bytes")
    try:
        return await asyncio.to_thread(passwords.hashed, new.password, cost)
    except ValueError:  # a NUL character
        raise ApiError(errors.INVALID_ARGUMENT, "Password has characters that are not accepted") from None


async def _profile(node: Node, kind: str, key: str, query: str) -> dict[str, Any] | None:
    cached = await node.cache.get(kind, key)
    if cached is not None:
        return cached
    found = await node.database.one(query, {"value": key})
    if found is not None:
        await node.cache.put(kind, key, found)
    return found
