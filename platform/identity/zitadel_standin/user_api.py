"""UserService of the v2 API: people and machines added, shown, listed and removed."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from zitadel_standin import errors, user_reads, users
from zitadel_standin.answers import created, details, refuse_given
from zitadel_standin.callers import Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.requests import json_body, node_of
from zitadel_standin.searching import ListQuery
from zitadel_standin.users import NewUser


class Profile(msgspec.Struct, rename="camel"):
    """A person's name; other fields of ZITADEL's are not kept."""

    given_name: str
    family_name: str


class Email(msgspec.Struct, rename="camel"):
    """A mail address; no code is ever sent to it."""

    email: str
    is_verified: bool | None = None


class Password(msgspec.Struct, rename="camel"):
    """A first password, or its bcrypt hash."""

    password: str | None = None
    hash: str | None = None
    change_required: bool | None = None


class SetPassword(msgspec.Struct, rename="camel"):
    """CreateUser's way to say the same."""

    password: Password | None = None
    hashed_password: Password | None = None


class HumanBody(msgspec.Struct, rename="camel"):
    """AddHumanUser; the last three are refused."""

    profile: Profile
    email: Email
    password: Password | None = None
    hashed_password: Password | None = None
    username: str | None = None
    user_id: str | None = None
    idp_links: msgspec.Raw | None = None
    totp_secret: msgspec.Raw | None = None
    phone: msgspec.Raw | None = None


class Human(msgspec.Struct):
    """CreateUser's person."""

    profile: Profile
    email: Email
    password: SetPassword | None = None
    phone: msgspec.Raw | None = None


class Machine(msgspec.Struct):
    """CreateUser's machine."""

    name: str
    description: str | None = None


class UserBody(msgspec.Struct, rename="camel"):
    """CreateUser, with a person or a machine."""

    username: str | None = None
    user_id: str | None = None
    human: Human | None = None
    machine: Machine | None = None


class IdBody(msgspec.Struct, rename="camel"):
    """GetUserByID and DeleteUser; the id stands in the body for Connect only."""

    user_id: str | None = None


class ListBody(msgspec.Struct, rename="camel"):
    """ListUsers."""

    query: ListQuery | None = None
    queries: list[user_reads.UserQuery] | None = None
    sorting_column: str | None = None


async def add_human_user(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/users/human."""
    caller.require("user.write")
    body = await json_body(request, HumanBody)
    refuse_given(body, "idp_links", "totp_secret", "phone")
    name, user_id = body.username or body.email.email, body.user_id or ""
    new = _human(name, user_id, body.profile, body.email, body.password, body.hashed_password)
    added = await users.add(node_of(request), new)
    return JSONResponse({"userId": added["id"], "details": details(added)}, created(request))


async def create_user(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/users/new."""
    caller.require("user.write")
    body = await json_body(request, UserBody)
    user_id = body.user_id or ""
    if body.human and not body.machine:
        refuse_given(body.human, "phone")
        human, given = body.human, body.human.password or SetPassword()
        name = body.username or human.email.email
        new = _human(name, user_id, human.profile, human.email, given.password, given.hashed_password)
    elif body.machine and not body.human:
        machine = body.machine
        if not body.username:
            raise ApiError(errors.INVALID_ARGUMENT, "a machine needs a username")
        new = NewUser("machine", body.username, machine.name, description=machine.description or "", user_id=user_id)
    else:
        raise ApiError(errors.INVALID_ARGUMENT, "a user is either human or machine")
    added = await users.add(node_of(request), new)
    return JSONResponse({"id": added["id"], "creationDate": added["told_at"].isoformat()}, created(request))


async def get_user(request: Request, caller: Caller) -> JSONResponse:
    """GET /v2/users/{id}."""
    user_id = request.path_params.get("id") or (await json_body(request, IdBody)).user_id or ""
    user = await user_reads.show(node_of(request), caller, user_id)
    return JSONResponse({"details": user["details"], "user": user})


async def list_users(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/users."""
    body = await json_body(request, ListBody)
    sorting = body.sorting_column or "USER_FIELD_NAME_UNSPECIFIED"
    listed = await user_reads.search(node_of(request), caller, body.queries or [], body.query, sorting)
    return JSONResponse({"details": listed.details(), "sortingColumn": sorting, "result": listed.items})


async def delete_user(request: Request, caller: Caller) -> JSONResponse:
    """DELETE /v2/users/{id}."""
    body = await json_body(request, IdBody)
    user_id = _id(request, body)
    caller.require("user.delete", user_id)
    return JSONResponse({"details": details(await users.remove(node_of(request), user_id))})


def _id(request: Request, body: IdBody) -> str:
    return request.path_params.get("id") or body.user_id or ""


def _human(
    name: str, user_id: str, profile: Profile, email: Email, password: Password | None, hashed: Password | None
) -> NewUser:
    if any(given and given.change_required for given in (password, hashed)):
        raise ApiError(errors.INVALID_ARGUMENT, "changeRequired is not supported by the ZITADEL stand-in")
    if password and not password.password:
        raise ApiError(errors.INVALID_ARGUMENT, "Password must not be empty")
    return NewUser(
        "human",
        name,
        profile.given_name,
        profile.family_name,
        email.email,
        email_verified=bool(email.is_verified),
        user_id=user_id,
        password=(password and password.password) or "",
        password_hash=(hashed and hashed.hash) or "",
    )
