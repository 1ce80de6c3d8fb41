"""SessionService of the v2 API: requests and answers of its five procedures."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from zitadel_standin import errors, session_reads, sessions
from zitadel_standin.answers import created, details, refuse_given
from zitadel_standin.callers import Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.requests import json_body, node_of, query
from zitadel_standin.searching import ListQuery

DURATION = re.compile(r"(\d{1,10})(\.\d{1,9})?s")
"""Protobuf's JSON form of a duration; a negative one is refused anyway."""


class UserCheck(msgspec.Struct, rename="camel"):
    """Names the user of a session, by login name or id."""

    login_name: str | None = None
    user_id: str | None = None


class PasswordCheck(msgspec.Struct):
    """The password to check."""

    password: str


class Checks(msgspec.Struct, rename="camel"):
    """What to check in a session; those below `password` are refused."""

    user: UserCheck | None = None
    password: PasswordCheck | None = None
    web_auth_n: msgspec.Raw | None = msgspec.field(default=None, name="webAuthN")
    idp_intent: msgspec.Raw | None = None
    totp: msgspec.Raw | None = None
    otp_sms: msgspec.Raw | None = None
    otp_email: msgspec.Raw | None = None
    recovery_code: msgspec.Raw | None = None


class UserAgent(msgspec.Struct, rename="camel", omit_defaults=True):
    """The browser a session belongs to."""

    fingerprint_id: str | None = None
    ip: str | None = None
    description: str | None = None
    header: dict[str, dict[str, list[str]]] | None = None


class SessionBody(msgspec.Struct, rename="camel"):
    """CreateSession, SetSession, GetSession and DeleteSession; the id stands in the body for Connect only."""

    checks: Checks | None = None
    metadata: dict[str, str] | None = None
    challenges: msgspec.Raw | None = None
    user_agent: UserAgent | None = None
    lifetime: str | None = None
    session_id: str | None = None
    session_token: str | None = None


class ListBody(msgspec.Struct, rename="camel"):
    """ListSessions."""

    query: ListQuery | None = None
    queries: list[session_reads.SessionQuery] | None = None
    sorting_column: str | None = None


async def create_session(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/sessions."""
    issued = await sessions.create(node_of(request), caller, _wish(await json_body(request, SessionBody)))
    answer = {"details": details(issued.told), "sessionId": issued.session_id, "sessionToken": issued.token}
    return JSONResponse(answer, created(request))


async def set_session(request: Request, caller: Caller) -> JSONResponse:
    """PATCH /v2/sessions/{id}."""
    body = await json_body(request, SessionBody)
    issued = await sessions.update(node_of(request), caller, _id(request, body), _wish(body))
    return JSONResponse({"details": details(issued.told), "sessionToken": issued.token})


async def get_session(request: Request, caller: Caller) -> JSONResponse:
    """GET /v2/sessions/{id}."""
    if request.method == "GET":
        session_id, token = request.path_params["id"], query(request).get("sessionToken", "")
    else:
        body = await json_body(request, SessionBody)
        session_id, token = _id(request, body), body.session_token or ""
    return JSONResponse({"session": await session_reads.show(node_of(request), caller, session_id, token)})


async def list_sessions(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/sessions/search."""
    body = await json_body(request, ListBody)
    if body.sorting_column not in (None, "SESSION_FIELD_NAME_UNSPECIFIED", "SESSION_FIELD_NAME_CREATION_DATE"):
        raise ApiError(errors.INVALID_ARGUMENT, "this sortingColumn is not supported")
    listed = await session_reads.search(node_of(request), caller, body.queries or [], body.query)
    return JSONResponse({"details": listed.details(), "sessions": listed.items})


async def delete_session(request: Request, caller: Caller) -> JSONResponse:
    """DELETE /v2/sessions/{id}."""
    body = await json_body(request, SessionBody)
    told = await sessions.terminate(node_of(request), caller, _id(request, body), body.session_token or "")
    return JSONResponse({"details": details(told)})


def _id(request: Request, body: SessionBody) -> str:
    return request.path_params.get("id") or body.session_id or ""


def _wish(body: SessionBody) -> sessions.Wish:
    checks = body.checks or Checks()
    refuse_given(body, "challenges")
    refuse_given(checks, "web_auth_n", "idp_intent", "totp", "otp_sms", "otp_email", "recovery_code")
    user = checks.user or UserCheck()
    if checks.user and not (user.login_name or user.user_id):
        raise ApiError(errors.INVALID_ARGUMENT, "checks.user must name a user")
    agent: dict[str, Any] | None = msgspec.to_builtins(body.user_agent) if body.user_agent else None
    return sessions.Wish(
        login_name=user.login_name or "",
        user_id=user.user_id or "",
        password=checks.password.password if checks.password else None,
        lifetime=_seconds(body.lifetime),
        user_agent=agent,
        metadata=_metadata(body.metadata),
    )


def _seconds(lifetime: str | None) -> float | None:
    """A Protobuf duration in seconds; nothing and "0s" mean that the session does not end by itself."""
    if lifetime is None:
        return None
    if not DURATION.fullmatch(lifetime):
        raise ApiError(errors.INVALID_ARGUMENT, "lifetime must be a duration in seconds that is not negative: 3600s")
    return float(lifetime[:-1]) or None


def _metadata(given: dict[str, str] | None) -> dict[str, str]:
    """Metadata as it came: keys, and values in base64."""
    for key, value in (given or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ApiError(errors.INVALID_ARGUMENT, "metadata values must be base64") from None
        if not 0 < len(key) <= 200:
            raise ApiError(errors.INVALID_ARGUMENT, "metadata keys must have 1 to 200 characters")
    return given or {}
