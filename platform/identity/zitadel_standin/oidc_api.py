"""OIDCService of the v2 API: the auth request a login page works on."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from zitadel_standin import authorization, errors
from zitadel_standin.answers import details
from zitadel_standin.callers import Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.requests import json_body, node_of


class SessionProof(msgspec.Struct, rename="camel"):
    """A session and the token that proves it is the caller's."""

    session_id: str
    session_token: str


class Refusal(msgspec.Struct, rename="camel"):
    """Why the login page gives up."""

    error: str = "ERROR_REASON_UNSPECIFIED"
    error_description: str | None = None


class CallbackBody(msgspec.Struct, rename="camel"):
    """CreateCallback and GetAuthRequest; either a session or a refusal."""

    session: SessionProof | None = None
    error: Refusal | None = None
    auth_request_id: str | None = None


async def get_auth_request(request: Request, caller: Caller) -> JSONResponse:
    """GET /v2/oidc/auth_requests/{id}."""
    caller.require("session.read")
    request_id = request.path_params.get("id") or (await json_body(request, CallbackBody)).auth_request_id or ""
    found = await authorization.show(node_of(request), request_id)
    answer = {"id": found["id"], "clientId": found["client_id"], "scope": found["scope"]}
    answer |= {"redirectUri": found["redirect_uri"], "creationDate": found["created_at"].isoformat()}
    return JSONResponse({"authRequest": answer | found["hints"]})


async def create_callback(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/oidc/auth_requests/{id}."""
    caller.require("session.link")
    body = await json_body(request, CallbackBody)
    request_id = request.path_params.get("id") or body.auth_request_id or ""
    node, proof, refusal = node_of(request), body.session, body.error
    if proof and not refusal:
        url, told = await authorization.finish(node, request_id, proof.session_id, proof.session_token)
    elif refusal and not proof:
        url, told = await authorization.give_up(node, request_id, refusal.error, refusal.error_description or "")
    else:
        raise ApiError(errors.INVALID_ARGUMENT, "either session or error is required")
    return JSONResponse({"details": details(told), "callbackUrl": url})
