"""Sessions of the v2 API: each check is written down and changes the session's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import DictRow

from zitadel_standin import errors, events, metrics, users
from zitadel_standin.errors import ApiError
from zitadel_standin.events import Event
from zitadel_standin.names import fingerprint, new_id, new_secret
from zitadel_standin.node import Node

_ADD = events.telling("""
changed AS (
    INSERT INTO identity.sessions (id, token, user_id, login_name, user_checked_at, password_checked_at)
    VALUES (%(id)s, %(token)s, %(user)s, %(login_name)s, now(), CASE WHEN %(password)s THEN now() END)
    RETURNING id, user_id AS creator
)""")
_RENEW = events.telling("""
changed AS (
    UPDATE identity.sessions SET token = %(token)s, changed_at = now(),
           password_checked_at = CASE WHEN %(password)s THEN now() ELSE password_checked_at END
    WHERE id = %(id)s RETURNING id, user_id AS creator
)""")
_END = events.telling("""
ended AS (DELETE FROM identity.grants WHERE session_id = %(id)s),
changed AS (DELETE FROM identity.sessions WHERE id = %(id)s RETURNING id, user_id AS creator)
""")
_SHOW = """
SELECT id, user_id, login_name, created_at, changed_at, user_checked_at, password_checked_at
FROM identity.sessions WHERE id = %(id)s
"""
_HASH_OF_SESSION = """
SELECT u.id, u.password_hash FROM identity.sessions s JOIN identity.users u ON u.id = s.user_id WHERE s.id = %(id)s
"""
_HASH_OF_USER = "SELECT id, password_hash FROM identity.users WHERE id = %(id)s"


@dataclass(frozen=True, slots=True)
class Issued:
    """Answer of a check: the session, its new token and what was told of it."""

    session_id: str
    token: str
    told: DictRow


async def create(node: Node, login_name: str, user_id: str, password: str | None) -> Issued:
    """Start a session with a user check and, if a password is given, a password check; ApiError when either fails."""
    user = await (users.by_id(node, user_id) if user_id else users.by_login_name(node, login_name))
    if user is None:
        metrics.AUTH_FAILURES.labels("unknown_user").inc()
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    if password is not None:
        await _check_password(node, await node.database.one(_HASH_OF_USER, user), password)
    session_id, token = new_id(), new_secret()
    row = {"id": session_id, "token": fingerprint(token), "user": user["id"], "login_name": user["login_name"]}
    told = [
        Event("session", session_id, "session.added"),
        Event("session", session_id, "session.user.checked", {"userID": user["id"]}),
        *_password_events(session_id, user["id"], password),
        Event("session", session_id, "session.token.set"),
    ]
    return _issued(session_id, token, await node.database.change(_ADD, told, row | {"password": password is not None}))


async def check_password(node: Node, session_id: str, password: str | None) -> Issued:
    """Check the password of the session's user and issue a new token; ApiError when it is wrong or there is none."""
    user = await node.database.one(_HASH_OF_SESSION, {"id": session_id})
    if user is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    if password is not None:
        await _check_password(node, user, password)
    token = new_secret()
    told = [*_password_events(session_id, user["id"], password), Event("session", session_id, "session.token.set")]
    row = {"id": session_id, "token": fingerprint(token), "password": password is not None}
    issued = _issued(session_id, token, await node.database.change(_RENEW, told, row))
    await node.cache.drop("session", session_id)
    return issued


async def show(node: Node, session_id: str) -> dict[str, Any]:
    """The session without its token, times in RFC 3339, from the cache if it is there; ApiError when there is none."""
    cached = await node.cache.get("session", session_id)
    if cached is not None:
        return cached
    found = await node.database.one(_SHOW, {"id": session_id})
    if found is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    session = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in found.items()}
    await node.cache.put("session", session_id, session)
    return session


async def terminate(node: Node, session_id: str) -> DictRow:
    """End the session and every token issued for it; ApiError when there is none."""
    told = [Event("session", session_id, "session.terminated")]
    ended = await node.database.change(_END, told, {"id": session_id})
    if ended is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    await node.cache.drop("session", session_id)
    return ended


def _issued(session_id: str, token: str, told: DictRow | None) -> Issued:
    if told is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    return Issued(session_id, token, told)


def _password_events(session_id: str, user_id: str, password: str | None) -> list[Event]:
    if password is None:
        return []
    return [
        Event("user", user_id, "user.human.password.check.succeeded"),
        Event("session", session_id, "session.password.checked"),
    ]


async def _check_password(node: Node, user: DictRow | None, password: str) -> None:
    """The password is checked against the database's hash, never a cached one."""
    if user is None:
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    if await users.password_matches(password, user["password_hash"]):
        return
    metrics.AUTH_FAILURES.labels("wrong_password").inc()
    told = [Event("user", user["id"], "user.human.password.check.failed")]
    await node.database.change(events.JUST_TELL, told, {"creator": user["id"]})
    raise ApiError(errors.INVALID_ARGUMENT, "Password is invalid")
