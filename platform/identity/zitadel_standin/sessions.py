"""Sessions of the v2 API: started, checked and ended. Each check is written down and changes the session's token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from psycopg.rows import DictRow

from zitadel_standin import errors, events, metrics, users
from zitadel_standin.callers import Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.events import Event
from zitadel_standin.names import fingerprint, new_id, new_secret
from zitadel_standin.node import Node

_ADD = events.telling("""
changed AS (
    INSERT INTO identity.sessions (id, token, creator, user_id, login_name, user_checked_at, password_checked_at,
        expires_at, user_agent, metadata)
    VALUES (%(id)s, %(token)s, %(caller)s, %(user)s::text, %(login_name)s,
        CASE WHEN %(user)s::text <> '' THEN now() END, CASE WHEN %(password)s THEN now() END,
        now() + make_interval(secs => %(lifetime)s), %(user_agent)s::jsonb,
        %(metadata)s::jsonb)
    RETURNING id, coalesce(user_id, creator) AS creator
)""")
_RENEW = events.telling("""
changed AS (
    UPDATE identity.sessions SET token = %(token)s, changed_at = now(),
           user_id = coalesce(user_id, %(user)s::text), login_name = coalesce(login_name, %(login_name)s),
           user_checked_at = CASE WHEN %(user)s::text <> '' THEN now() ELSE user_checked_at END,
           password_checked_at = CASE WHEN %(password)s THEN now() ELSE password_checked_at END,
           expires_at = coalesce(now() + make_interval(secs => %(lifetime)s), expires_at),
           metadata = metadata || %(metadata)s::jsonb
    WHERE id = %(id)s AND coalesce(user_id = %(user)s::text, true)
    RETURNING id, coalesce(user_id, creator) AS creator
)""")
_END = events.telling("""
ended AS (DELETE FROM identity.grants WHERE session_id = %(id)s),
changed AS (DELETE FROM identity.sessions WHERE id = %(id)s RETURNING id, coalesce(user_id, creator) AS creator)
""")
_STATE = """
SELECT s.creator AS owner, s.user_id AS id, u.password_hash, coalesce(s.expires_at <= now(), false) AS expired,
       s.token = %(token)s AS proven
FROM identity.sessions s LEFT JOIN identity.users u ON u.id = s.user_id WHERE s.id = %(session)s
"""
_HASH_OF_USER = "SELECT id, password_hash FROM identity.users WHERE id = %(id)s"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a call asks of a session; what is left out stays as it is. `lifetime` in seconds from now."""

    login_name: str = ""
    user_id: str = ""
    password: str | None = field(default=None, repr=False)
    lifetime: float | None = None
    user_agent: dict[str, Any] | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Issued:
    """Answer of a check: the session, its new token and what was told of it."""

    session_id: str
    token: str
    told: DictRow


async def create(node: Node, caller: Caller, wish: Wish) -> Issued:
    """Start a session with the checks that are asked for; ApiError when one fails, and then there is no session."""
    user = await _user_of(node, wish)
    if wish.password is not None:
        if user is None:
            raise ApiError(errors.FAILED_PRECONDITION, "User must be checked before the password")
        await _check_password(node, await node.database.one(_HASH_OF_USER, user), wish.password)
    session_id = new_id()
    agent = {"userAgent": wish.user_agent} if wish.user_agent else {}
    row = {"caller": caller.user_id, "user_agent": _json(wish.user_agent)}
    added = Event("session", session_id, "session.added", agent)
    return await _written(node, _ADD, session_id, user, wish, [added], row, user["id"] if user else "")


async def update(node: Node, caller: Caller, session_id: str, wish: Wish) -> Issued:
    """Check what is asked for and issue a new token; ApiError when a check fails or there is no such session."""
    state = await _state(node, caller, session_id, "", "session.write")
    if state["expired"]:
        metrics.AUTH_FAILURES.labels("expired_session").inc()
        raise ApiError(errors.FAILED_PRECONDITION, "Session has expired")
    user = await _user_of(node, wish)
    if user and state["id"] not in (None, user["id"]):
        raise ApiError(errors.FAILED_PRECONDITION, "the user of a session cannot be changed")
    if wish.password is not None:
        known = await node.database.one(_HASH_OF_USER, user) if user and not state["id"] else state
        if known is None or not known["id"]:
            raise ApiError(errors.FAILED_PRECONDITION, "User must be checked before the password")
        await _check_password(node, known, wish.password)
    checked = state["id"] or (user["id"] if user else "")
    issued = await _written(node, _RENEW, session_id, user, wish, [], {}, checked)
    await node.cache.drop("session", session_id)
    return issued


async def terminate(node: Node, caller: Caller, session_id: str, token: str = "") -> DictRow:
    """End the session and every token issued for it; ApiError when there is none or the caller may not."""
    if not caller.may("session.delete"):
        await _state(node, caller, session_id, token, "session.delete")
    told = [Event("session", session_id, "session.terminated")]
    ended = await node.database.change(_END, told, {"id": session_id})
    if ended is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    await node.cache.drop("session", session_id)
    return ended


async def _state(node: Node, caller: Caller, session_id: str, token: str, permission: str) -> DictRow:
    """The session's state, if the caller has the permission, owns it or brings its token; ApiError otherwise."""
    state = await node.database.one(_STATE, {"session": session_id, "token": fingerprint(token)})
    if state is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    if not state["proven"]:
        caller.require(permission, state["owner"], state["id"])
    return state


async def _user_of(node: Node, wish: Wish) -> dict[str, Any] | None:
    """The user the wish names, None when it names none; ApiError when there is no such user."""
    if not (wish.user_id or wish.login_name):
        return None
    by_id = users.by_id(node, wish.user_id) if wish.user_id else users.by_login_name(node, wish.login_name)
    user = await by_id
    if user is None or user["kind"] != "human":
        metrics.AUTH_FAILURES.labels("unknown_user").inc()
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    return user


async def _written(
    node: Node,
    statement: str,
    session_id: str,
    user: dict[str, Any] | None,
    wish: Wish,
    told: list[Event],
    row: dict[str, Any],
    checked: str,
) -> Issued:
    """Write the checks, their events and a new token, all or nothing. `checked` is the session's user."""
    token = f"{session_id}.{new_secret()}"
    told = [*told, *_events(session_id, user, wish, checked)]
    row |= {
        "id": session_id,
        "token": fingerprint(token),
        "user": user["id"] if user else None,
        "login_name": user["login_name"] if user else None,
        "password": wish.password is not None,
        "lifetime": wish.lifetime,
        "metadata": _json(wish.metadata),
    }
    written = await node.database.change(statement, told, row)
    if written is None:
        raise ApiError(errors.NOT_FOUND, "Session could not be found")
    return Issued(session_id, token, written)


def _events(session_id: str, user: dict[str, Any] | None, wish: Wish, checked: str) -> list[Event]:
    told = []
    if user:
        told.append(Event("session", session_id, "session.user.checked", {"userID": user["id"]}))
    if wish.password is not None:
        told.append(Event("user", checked, "user.human.password.check.succeeded"))
        told.append(Event("session", session_id, "session.password.checked"))
    if wish.metadata:
        told.append(Event("session", session_id, "session.metadata.set", {"metadata": wish.metadata}))
    if wish.lifetime is not None:
        told.append(Event("session", session_id, "session.lifetime.set", {"lifetime": round(wish.lifetime * 1e9)}))
    return [*told, Event("session", session_id, "session.token.set")]


async def _check_password(node: Node, user: DictRow | None, password: str) -> None:
    """The password is checked against the database's hash, never a cached one."""
    if user is None:
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    if user["password_hash"] and await users.password_matches(password, user["password_hash"]):
        return
    metrics.AUTH_FAILURES.labels("wrong_password").inc()
    told = [Event("user", user["id"], "user.human.password.check.failed")]
    await node.database.change(events.JUST_TELL, told, {"creator": user["id"]})
    raise ApiError(errors.INVALID_ARGUMENT, "Password is invalid")


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
