"""Sessions as they are shown: one, through the cache, or those that fit a search. Never with their token."""

from __future__ import annotations

from typing import Any

import msgspec

from zitadel_standin import errors
from zitadel_standin.callers import Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.events import INSTANCE_ID, ORGANISATION_ID
from zitadel_standin.names import fingerprint
from zitadel_standin.node import Node
from zitadel_standin.searching import Conditions, Listed, ListQuery, found, moment, one_of, page

_COLUMNS = f"""
SELECT s.id, s.creator, s.user_id, s.login_name, s.created_at, s.changed_at, s.user_checked_at, s.password_checked_at,
       s.expires_at, s.user_agent, s.metadata, u.given_name, u.family_name,
       (SELECT max(e."sequence") FROM eventstore.events2 e
        WHERE e.instance_id = '{INSTANCE_ID}' AND e.aggregate_type = 'session' AND e.aggregate_id = s.id) AS sequence
"""
_FROM = " FROM identity.sessions s LEFT JOIN identity.users u ON u.id = s.user_id WHERE "
_SHOW = f"{_COLUMNS}{_FROM} s.id = %(id)s"
_PROVEN = "SELECT 1 FROM identity.sessions WHERE id = %(id)s AND token = %(token)s"
_COMPARED = {
    "TIMESTAMP_QUERY_METHOD_EQUALS": "=",
    "TIMESTAMP_QUERY_METHOD_GREATER": ">",
    "TIMESTAMP_QUERY_METHOD_GREATER_OR_EQUALS": ">=",
    "TIMESTAMP_QUERY_METHOD_LESS": "<",
    "TIMESTAMP_QUERY_METHOD_LESS_OR_EQUALS": "<=",
}


class Ids(msgspec.Struct):
    """Any of these sessions."""

    ids: list[str] = []


class Id(msgspec.Struct):
    """Sessions of this user, or made by this user (the caller when empty)."""

    id: str = ""


class When(msgspec.Struct, rename="camel"):
    """Sessions that began or end before, at or after a moment (RFC 3339)."""

    creation_date: str = ""
    expiration_date: str = ""
    method: str = "TIMESTAMP_QUERY_METHOD_EQUALS"


class Agent(msgspec.Struct, rename="camel"):
    """Sessions of this browser."""

    fingerprint_id: str = ""


class SessionQuery(msgspec.Struct, rename="camel"):
    """One condition of a search; exactly one field is given."""

    ids_query: Ids | None = None
    user_id_query: Id | None = None
    creator_query: Id | None = None
    creation_date_query: When | None = None
    expiration_date_query: When | None = None
    user_agent_query: Agent | None = None


async def show(node: Node, caller: Caller, session_id: str, token: str = "") -> dict[str, Any]:
    """The session in ZITADEL's JSON; ApiError when there is none, or the caller neither owns it nor proves it."""
    kept = await node.cache.get("session", session_id)
    if kept is None:
        row = await node.database.one(_SHOW, {"id": session_id})
        if row is None:
            raise ApiError(errors.NOT_FOUND, "Session could not be found")
        kept = {"owners": [row["creator"], row["user_id"]], "session": _as_json(row)}
        await node.cache.put("session", session_id, kept)
    if not caller.may("session.read", *kept["owners"]) and not (token and await _proven(node, session_id, token)):
        raise ApiError(errors.PERMISSION_DENIED, "No matching permissions found")
    session: dict[str, Any] = kept["session"]
    return session


async def search(node: Node, caller: Caller, queries: list[SessionQuery], asked: ListQuery | None) -> Listed:
    """The sessions that fit every condition and that the caller may see, newest first; ApiError for a bad search."""
    conditions = Conditions()
    if not caller.may("session.read"):
        own = conditions.value(caller.user_id)
        conditions.add(f"(s.creator = {own} OR s.user_id = {own})")
    for query in queries:
        _restrict(conditions, query, caller)
    select = f"{_COLUMNS}, count(*) OVER () AS total {_FROM} {conditions.text()} ORDER BY s.created_at"
    rows = await node.database.all(f"{select} {page(conditions, asked, 's.id')}", conditions.values)
    return found(rows, _as_json)


def _restrict(conditions: Conditions, query: SessionQuery, caller: Caller) -> None:
    one_of(query)
    if query.ids_query:
        conditions.add(f"s.id = ANY({conditions.value(query.ids_query.ids)}::text[])")
    elif query.user_id_query:
        conditions.add(f"s.user_id = {conditions.value(query.user_id_query.id)}")
    elif query.creator_query:
        conditions.add(f"s.creator = {conditions.value(query.creator_query.id or caller.user_id)}")
    elif query.user_agent_query:
        agent = conditions.value(query.user_agent_query.fingerprint_id)
        conditions.add(f"s.user_agent ->> 'fingerprintId' = {agent}")
    else:
        when = query.creation_date_query or query.expiration_date_query
        assert when is not None
        column = "s.created_at" if query.creation_date_query else "s.expires_at"
        compared = _COMPARED.get(when.method)
        if compared is None:
            raise ApiError(errors.INVALID_ARGUMENT, "unknown method of comparison")
        conditions.add(f"{column} {compared} {conditions.value(moment(when.creation_date or when.expiration_date))}")


async def _proven(node: Node, session_id: str, token: str) -> bool:
    given = {"id": session_id, "token": fingerprint(token)}
    return await node.database.one(_PROVEN, given) is not None


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    factors: dict[str, Any] = {}
    if row["user_id"]:
        factors["user"] = {
            "verifiedAt": row["user_checked_at"].isoformat(),
            "id": row["user_id"],
            "loginName": row["login_name"],
            "displayName": f"{row['given_name']} {row['family_name']}",
            "organizationId": ORGANISATION_ID,
        }
    if row["password_checked_at"]:
        factors["password"] = {"verifiedAt": row["password_checked_at"].isoformat()}
    session = {
        "id": row["id"],
        "creationDate": row["created_at"].isoformat(),
        "changeDate": row["changed_at"].isoformat(),
        "sequence": str(row["sequence"] or 0),
        "factors": factors,
        "metadata": row["metadata"],
    }
    if row["user_agent"]:
        session["userAgent"] = row["user_agent"]
    if row["expires_at"]:
        session["expirationDate"] = row["expires_at"].isoformat()
    return session
