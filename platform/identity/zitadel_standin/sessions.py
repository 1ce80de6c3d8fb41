"""Sessions of the v2 API: each check is written down and changes the session's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zitadel_standin import errors, events, metrics, users
from zitadel_standin.database import Connection
from zitadel_standin.errors import ApiError
from zitadel_standin.events import Event, Pushed
from zitadel_standin.names import fingerprint, new_id, new_secret
from zitadel_standin.node import Node

_ADD = """
INSERT INTO identity.sessions (id, token, user_id, login_name, user_checked_at, password_checked_at)
VALUES (%(id)s, %(token)s, %(user)s, %(login_name)s, now(), CASE WHEN %(password)s THEN now() END)
"""
_RENEW = """
UPDATE identity.sessions SET token = %(token)s, changed_at = now(),
       password_checked_at = CASE WHEN %(password)s THEN now() ELSE password_checked_at END
WHERE id = %(id)s RETURNING id
"""
_SHOW = """
SELECT id, user_id, login_name, created_at, changed_at, user_checked_at, password_checked_at
FROM identity.sessions WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """Answer of a check: the session, its new token and the event that told it."""

    session_id: str
    token: str
    pushed: Pushed


async def create(node: Node, login_name: str, user_id: str, password: str | None) -> Issued:
    """Start a session with a user check and, if a password is given, a password check; ApiError when either fails."""
    user = await (users.by_id(node, user_id) if user_id else users.by_login_name(node, login_name))
    if user is None:
        metrics.AUTH_FAILURES.labels("unknown_user").inc()
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    if password is not None:
        await _check_password(node, user["id"], password)
    session_id, token = new_id(), new_secret()
    row = {"id": session_id, "token": fingerprint(token), "user": user["id"], "login_name": user["login_name"]}
    told = [
        Event("session", session_id, "session.added", user["id"]),
        Event("session", session_id, "session.user.checked", user["id"], {"userID": user["id"]}),
        *_password_events(session_id, user["id"], password),
        Event("session", session_id, "session.token.set", user["id"]),
    ]

    async def work(connection: Connection) -> Pushed:
        await connection.execute(_ADD, row | {"password": password is not None})
        return await events.push(connection, told)

    return Issued(session_id, token, await node.database.transaction(work))


async def check_password(node: Node, session_id: str, password: str | None) -> Issued:
    """Check the password of the session's user and issue a new token; ApiError when it is wrong or there is none."""
    session = await node.database.one(_SHOW, {"id": session_id})
    if session is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    if password is not None:
        await _check_password(node, session["user_id"], password)
    token = new_secret()
    told = [
        *_password_events(session_id, session["user_id"], password),
        Event("session", session_id, "session.token.set", session["user_id"]),
    ]

    async def work(connection: Connection) -> Pushed:
        row = {"id": session_id, "token": fingerprint(token), "password": password is not None}
        if not await (await connection.execute(_RENEW, row)).fetchone():
            raise ApiError(errors.NOT_FOUND, "Session could not be found")
        return await events.push(connection, told)

    pushed = await node.database.transaction(work)
    await node.cache.drop("session", session_id)
    return Issued(session_id, token, pushed)


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


async def terminate(node: Node, session_id: str) -> Pushed:
    """End the session and every token issued for it; ApiError when there is none."""

    async def work(connection: Connection) -> Pushed:
        query = "DELETE FROM identity.sessions WHERE id = %(id)s RETURNING user_id"
        ended = await (await connection.execute(query, {"id": session_id})).fetchone()
        if ended is None:
            raise ApiError(errors.NOT_FOUND, "Session could not be found")
        await connection.execute("DELETE FROM identity.grants WHERE session_id = %(id)s", {"id": session_id})
        return await events.push(connection, [Event("session", session_id, "session.terminated", ended["user_id"])])

    pushed = await node.database.transaction(work)
    await node.cache.drop("session", session_id)
    return pushed


def _password_events(session_id: str, user_id: str, password: str | None) -> list[Event]:
    if password is None:
        return []
    return [
        Event("user", user_id, "user.human.password.check.succeeded", user_id),
        Event("session", session_id, "session.password.checked", user_id),
    ]


async def _check_password(node: Node, user_id: str, password: str) -> None:
    if await users.password_is_right(node, user_id, password):
        return
    metrics.AUTH_FAILURES.labels("wrong_password").inc()

    async def work(connection: Connection) -> None:
        await events.push(connection, [Event("user", user_id, "user.human.password.check.failed", user_id)])

    await node.database.transaction(work)
    raise ApiError(errors.INVALID_ARGUMENT, "Password is invalid")
