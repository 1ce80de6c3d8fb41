"""Users as they are shown: one by id, or those that fit a search. Never with a password or a secret."""

from __future__ import annotations

from typing import Any

import msgspec

from zitadel_standin import errors
from zitadel_standin.callers import Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.events import INSTANCE_ID, ORGANISATION_ID
from zitadel_standin.node import Node
from zitadel_standin.searching import Conditions, Listed, ListQuery, found, one_of, page

DEEPEST = 10
"""How far `and`, `or` and `not` may be nested."""
ACTIVE = "USER_STATE_ACTIVE"
"""The one state users of this stand-in have."""

_COLUMNS = f"""
SELECT u.id, u.kind, u.login_name, u.given_name, u.family_name, u.email, u.email_verified, u.description,
       u.secret_hash IS NOT NULL AS has_secret, u.created_at, u.changed_at,
       (SELECT max(e."sequence") FROM eventstore.events2 e
        WHERE e.instance_id = '{INSTANCE_ID}' AND e.aggregate_type = 'user' AND e.aggregate_id = u.id) AS sequence
"""
_FROM = " FROM identity.users u WHERE "
_SHOW = f"{_COLUMNS}{_FROM} u.id = %(id)s"
_SORTED = {
    "USER_FIELD_NAME_UNSPECIFIED": "u.created_at",
    "USER_FIELD_NAME_CREATION_DATE": "u.created_at",
    "USER_FIELD_NAME_USER_NAME": "u.login_name",
    "USER_FIELD_NAME_FIRST_NAME": "u.given_name",
    "USER_FIELD_NAME_LAST_NAME": "u.family_name",
    "USER_FIELD_NAME_EMAIL": "u.email",
    "USER_FIELD_NAME_TYPE": "u.kind",
}
_METHODS = {
    "EQUALS": "{column} = {value}",
    "STARTS_WITH": "starts_with({column}, {value})",
    "CONTAINS": "position({value} in {column}) > 0",
    "ENDS_WITH": "right({column}, length({value})) = {value}",
}
_TEXTS = {
    "user_name_query": ("user_name", "u.login_name"),
    "login_name_query": ("login_name", "u.login_name"),
    "email_query": ("email_address", "u.email"),
    "first_name_query": ("first_name", "u.given_name"),
    "last_name_query": ("last_name", "u.family_name"),
    "display_name_query": ("display_name", "concat_ws(' ', u.given_name, nullif(u.family_name, ''))"),
}


class Text(msgspec.Struct, rename="camel"):
    """A text to compare; the field that is given depends on the query."""

    user_name: str = ""
    login_name: str = ""
    email_address: str = ""
    first_name: str = ""
    last_name: str = ""
    display_name: str = ""
    method: str = "TEXT_QUERY_METHOD_EQUALS"


class Choice(msgspec.Struct, rename="camel"):
    """Any of these ids or addresses, a type, a state or an organisation."""

    user_ids: list[str] = []
    user_emails: list[str] = []
    type: str = ""
    state: str = ""
    organization_id: str = ""


class Several(msgspec.Struct):
    """Conditions joined by AND or OR."""

    queries: list[UserQuery] = []


class Negated(msgspec.Struct):
    """A condition that must not hold."""

    query: UserQuery | None = None


class UserQuery(msgspec.Struct, rename="camel"):
    """One condition of a search; exactly one field is given."""

    user_name_query: Text | None = None
    login_name_query: Text | None = None
    email_query: Text | None = None
    first_name_query: Text | None = None
    last_name_query: Text | None = None
    display_name_query: Text | None = None
    in_user_ids_query: Choice | None = None
    in_user_emails_query: Choice | None = None
    type_query: Choice | None = None
    state_query: Choice | None = None
    organization_id_query: Choice | None = None
    and_query: Several | None = None
    or_query: Several | None = None
    not_query: Negated | None = None


async def show(node: Node, caller: Caller, user_id: str) -> dict[str, Any]:
    """The user in ZITADEL's JSON; ApiError when there is none or the caller may not see them."""
    caller.require("user.read", user_id)
    row = await node.database.one(_SHOW, {"id": user_id})
    if row is None:
        raise ApiError(errors.NOT_FOUND, "User could not be found")
    return _as_json(row)


async def search(node: Node, caller: Caller, queries: list[UserQuery], asked: ListQuery | None, sorting: str) -> Listed:
    """The users who fit every condition and whom the caller may see; ApiError for a bad search."""
    conditions = Conditions()
    if not caller.may("user.read"):
        conditions.add(f"u.id = {conditions.value(caller.user_id)}")
    for query in queries:
        conditions.add(_condition(conditions, query, 0))
    if sorting not in _SORTED:
        raise ApiError(errors.INVALID_ARGUMENT, "this sortingColumn is not supported")
    select = f"{_COLUMNS}, count(*) OVER () AS total {_FROM} {conditions.text()} ORDER BY {_SORTED[sorting]}"
    rows = await node.database.all(f"{select} {page(conditions, asked, 'u.id')}", conditions.values)
    return found(rows, _as_json)


def _condition(conditions: Conditions, query: UserQuery, depth: int) -> str:
    one_of(query)
    if depth > DEEPEST:
        raise ApiError(errors.INVALID_ARGUMENT, f"queries may be nested {DEEPEST} deep")
    if query.and_query or query.or_query:
        several = query.and_query or query.or_query
        assert several is not None
        parts = [_condition(conditions, each, depth + 1) for each in several.queries]
        return f"({(' AND ' if query.and_query else ' OR ').join(parts) or 'true'})"
    if query.not_query:
        if query.not_query.query is None:
            raise ApiError(errors.INVALID_ARGUMENT, "notQuery needs a query")
        return f"NOT ({_condition(conditions, query.not_query.query, depth + 1)})"
    for name, (given, column) in _TEXTS.items():
        if text := getattr(query, name):
            return _compared(conditions, column, getattr(text, given), text.method)
    return _plain(conditions, query)


def _compared(conditions: Conditions, column: str, value: str, method: str) -> str:
    name = method.removeprefix("TEXT_QUERY_METHOD_")
    pattern = _METHODS.get(name.removesuffix("_IGNORE_CASE"))
    if pattern is None:
        raise ApiError(errors.INVALID_ARGUMENT, "unknown method of comparison")
    if name.endswith("_IGNORE_CASE"):
        column, value = f"lower({column})", value.lower()
    return pattern.format(column=column, value=f"{conditions.value(value)}::text")


def _plain(conditions: Conditions, query: UserQuery) -> str:
    if query.in_user_ids_query:
        return f"u.id = ANY({conditions.value(query.in_user_ids_query.user_ids)}::text[])"
    if query.in_user_emails_query:
        return f"u.email = ANY({conditions.value(query.in_user_emails_query.user_emails)}::text[])"
    if query.type_query:
        return f"u.kind = {conditions.value(query.type_query.type.removeprefix('TYPE_').lower())}"
    if query.state_query:
        return "true" if query.state_query.state == ACTIVE else "false"
    assert query.organization_id_query is not None
    return "true" if query.organization_id_query.organization_id == ORGANISATION_ID else "false"


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "userId": row["id"],
        "details": {
            "sequence": str(row["sequence"] or 0),
            "creationDate": row["created_at"].isoformat(),
            "changeDate": row["changed_at"].isoformat(),
            "resourceOwner": ORGANISATION_ID,
        },
        "state": ACTIVE,
        "username": row["login_name"],
        "loginNames": [row["login_name"]],
        "preferredLoginName": row["login_name"],
    }
    if row["kind"] == "machine":
        bearer = "ACCESS_TOKEN_TYPE_BEARER"
        machine = {"name": row["given_name"], "description": row["description"], "hasSecret": row["has_secret"]}
        return shown | {"machine": machine | {"accessTokenType": bearer}}
    profile = {"givenName": row["given_name"], "familyName": row["family_name"]}
    profile["displayName"] = f"{row['given_name']} {row['family_name']}"
    email = {"email": row["email"], "isVerified": row["email_verified"]}
    return shown | {"human": {"profile": profile, "email": email}}
