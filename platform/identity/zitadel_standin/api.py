"""The v2 API: sessions, auth requests and users, by REST and by Connect paths (JSON)."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from zitadel_standin import authorization, errors, sessions, users
from zitadel_standin.errors import ApiError
from zitadel_standin.events import ORGANISATION_ID
from zitadel_standin.requests import json_body, node_of, require_login_client

SHORT = 200
"""Longest name or address accepted, in characters, as ZITADEL's API validates."""


class UserCheck(msgspec.Struct, rename="camel"):
    """Names the user of a session, by login name or id."""

    login_name: str = ""
    user_id: str = ""


class PasswordCheck(msgspec.Struct):
    """The password to check."""

    password: str


class Checks(msgspec.Struct):
    """What to check in a session."""

    user: UserCheck | None = None
    password: PasswordCheck | None = None


class SessionBody(msgspec.Struct, rename="camel"):
    """CreateSession, SetSession, GetSession and DeleteSession; the id stands in the body for Connect only."""

    checks: Checks = msgspec.field(default_factory=Checks)
    session_id: str = ""


class SessionProof(msgspec.Struct, rename="camel"):
    """A session and the token that proves it is the caller's."""

    session_id: str
    session_token: str


class CallbackBody(msgspec.Struct, rename="camel"):
    """CreateCallback and GetAuthRequest."""

    session: SessionProof | None = None
    auth_request_id: str = ""


class Profile(msgspec.Struct, rename="camel"):
    """A person's name."""

    given_name: str
    family_name: str


class Email(msgspec.Struct):
    """A mail address."""

    email: str


class Password(msgspec.Struct):
    """A first password."""

    password: str


class HumanBody(msgspec.Struct, rename="camel"):
    """AddHumanUser."""

    profile: Profile
    email: Email
    password: Password
    username: str = ""


async def create_session(request: Request) -> JSONResponse:
    """POST /v2/sessions."""
    body = await json_body(request, SessionBody)
    user, password = body.checks.user, body.checks.password
    if user is None or not (user.login_name or user.user_id):
        raise ApiError(errors.INVALID_ARGUMENT, "checks.user must name a user")
    given = password.password if password else None
    issued = await sessions.create(node_of(request), user.login_name, user.user_id, given)
    answer = {"details": _details(issued.told), "sessionId": issued.session_id, "sessionToken": issued.token}
    return JSONResponse(answer, _created(request))


async def set_session(request: Request) -> JSONResponse:
    """PATCH /v2/sessions/{id}."""
    body = await json_body(request, SessionBody)
    password = body.checks.password
    if body.checks.user is not None:
        raise ApiError(errors.INVALID_ARGUMENT, "the user of a session cannot be changed")
    session_id = request.path_params.get("id") or body.session_id
    issued = await sessions.check_password(node_of(request), session_id, password.password if password else None)
    return JSONResponse({"details": _details(issued.told), "sessionToken": issued.token})


async def get_session(request: Request) -> JSONResponse:
    """GET /v2/sessions/{id}."""
    session_id = request.path_params.get("id") or (await json_body(request, SessionBody)).session_id
    found = await sessions.show(node_of(request), session_id)
    factors = {
        "user": {
            "verifiedAt": found["user_checked_at"],
            "id": found["user_id"],
            "loginName": found["login_name"],
            "organizationId": ORGANISATION_ID,
        }
    }
    if found["password_checked_at"]:
        factors["password"] = {"verifiedAt": found["password_checked_at"]}
    session = {"id": found["id"], "creationDate": found["created_at"], "changeDate": found["changed_at"]}
    return JSONResponse({"session": session | {"factors": factors}})


async def delete_session(request: Request) -> JSONResponse:
    """DELETE /v2/sessions/{id}."""
    session_id = request.path_params.get("id") or (await json_body(request, SessionBody)).session_id
    return JSONResponse({"details": _details(await sessions.terminate(node_of(request), session_id))})


async def get_auth_request(request: Request) -> JSONResponse:
    """GET /v2/oidc/auth_requests/{id}."""
    request_id = request.path_params.get("id") or (await json_body(request, CallbackBody)).auth_request_id
    found = await authorization.show(node_of(request), request_id)
    answer = {"id": found["id"], "clientId": found["client_id"], "scope": found["scope"]}
    answer |= {"redirectUri": found["redirect_uri"], "creationDate": found["created_at"].isoformat()}
    return JSONResponse({"authRequest": answer})


async def create_callback(request: Request) -> JSONResponse:
    """POST /v2/oidc/auth_requests/{id}."""
    body = await json_body(request, CallbackBody)
    if body.session is None:
        raise ApiError(errors.INVALID_ARGUMENT, "session is required")
    request_id = request.path_params.get("id") or body.auth_request_id
    proof = body.session
    url, told = await authorization.finish(node_of(request), request_id, proof.session_id, proof.session_token)
    return JSONResponse({"details": _details(told), "callbackUrl": url})


async def add_human_user(request: Request) -> JSONResponse:
    """POST /v2/users/human."""
    body = await json_body(request, HumanBody)
    name, mail, profile = (body.username or body.email.email, body.email.email, body.profile)
    if not all(0 < len(text) <= SHORT for text in (name, mail, profile.given_name, profile.family_name)):
        raise ApiError(errors.INVALID_ARGUMENT, f"names and addresses must have 1 to {SHORT} characters")
    added = await users.add(
        node_of(request), name, profile.given_name, profile.family_name, mail, body.password.password
    )
    return JSONResponse({"userId": added["id"], "details": _details(added)}, _created(request))


def _details(told: DictRow) -> dict[str, Any]:
    return {
        "sequence": str(told["told_sequence"]),
        "changeDate": told["told_at"].isoformat(),
        "resourceOwner": ORGANISATION_ID,
    }


def _created(request: Request) -> int:
    """201 by REST; Connect answers 200 whatever was done."""
    return 201 if request.url.path.startswith("/v2/") else 200


def _guarded(path: str, method: str, handler: Any) -> Route:
    async def endpoint(request: Request) -> JSONResponse:
        require_login_client(request)
        answer: JSONResponse = await handler(request)
        return answer

    return Route(path, endpoint, methods=[method])


ROUTES = [
    _guarded(path, method, handler)
    for path, method, handler in (
        ("/v2/sessions", "POST", create_session),
        ("/v2/sessions/{id}", "PATCH", set_session),
        ("/v2/sessions/{id}", "GET", get_session),
        ("/v2/sessions/{id}", "DELETE", delete_session),
        ("/v2/oidc/auth_requests/{id}", "GET", get_auth_request),
        ("/v2/oidc/auth_requests/{id}", "POST", create_callback),
        ("/v2/users/human", "POST", add_human_user),
        ("/zitadel.session.v2.SessionService/CreateSession", "POST", create_session),
        ("/zitadel.session.v2.SessionService/SetSession", "POST", set_session),
        ("/zitadel.session.v2.SessionService/GetSession", "POST", get_session),
        ("/zitadel.session.v2.SessionService/DeleteSession", "POST", delete_session),
        ("/zitadel.oidc.v2.OIDCService/GetAuthRequest", "POST", get_auth_request),
        ("/zitadel.oidc.v2.OIDCService/CreateCallback", "POST", create_callback),
        ("/zitadel.user.v2.UserService/AddHumanUser", "POST", add_human_user),
    )
]
