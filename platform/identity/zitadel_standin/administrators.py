"""InternalPermissionService of the v2 API: roles of users on the instance."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from zitadel_standin import errors, events
from zitadel_standin.callers import ROLES, Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.events import INSTANCE_ID, Event
from zitadel_standin.requests import json_body, node_of

_SET = events.telling("""
changed AS (
    UPDATE identity.users SET roles = %(roles)s, changed_at = now()
    WHERE id = %(id)s AND (roles = '{}') = %(adding)s RETURNING id, %(caller)s::text AS creator
)""")
_EXISTS = "SELECT 1 FROM identity.users WHERE id = %(id)s"


class Resource(msgspec.Struct):
    """What the roles are for; only the instance is supported."""

    instance: bool | None = None


class AdministratorBody(msgspec.Struct, rename="camel"):
    """CreateAdministrator and DeleteAdministrator."""

    user_id: str
    resource: Resource
    roles: list[str] | None = None


async def create(request: Request, caller: Caller) -> JSONResponse:
    """Make a user administrator of the instance with the given roles."""
    caller.require("iam.member.write")
    body = await json_body(request, AdministratorBody)
    if not body.roles or not set(body.roles) <= set(ROLES):
        raise ApiError(errors.INVALID_ARGUMENT, f"roles must be some of {', '.join(sorted(ROLES))}")
    told = Event("instance", INSTANCE_ID, "instance.member.added", {"userId": body.user_id, "roles": body.roles})
    return JSONResponse({"creationDate": await _changed(request, caller, body, told, body.roles)})


async def delete(request: Request, caller: Caller) -> JSONResponse:
    """Take a user's roles on the instance away."""
    caller.require("iam.member.delete")
    body = await json_body(request, AdministratorBody)
    told = Event("instance", INSTANCE_ID, "instance.member.removed", {"userId": body.user_id})
    return JSONResponse({"deletionDate": await _changed(request, caller, body, told, [])})


async def _changed(request: Request, caller: Caller, body: AdministratorBody, told: Event, roles: list[str]) -> str:
    if not body.resource.instance:
        raise ApiError(errors.INVALID_ARGUMENT, "only resource.instance is supported by the ZITADEL stand-in")
    database = node_of(request).database
    row = {"id": body.user_id, "roles": roles, "adding": bool(roles), "caller": caller.user_id}
    changed = await database.change(_SET, [told], row)
    if changed is None and await database.one(_EXISTS, row) and roles:
        raise ApiError(errors.ALREADY_EXISTS, "User is an administrator already")
    if changed is None:
        raise ApiError(errors.NOT_FOUND, "User or administrator could not be found")
    return str(changed["told_at"].isoformat())
