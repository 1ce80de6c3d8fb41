"""UserService of the v2 API, for machines: their secrets and keys."""

from __future__ import annotations

import base64
import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from zitadel_standin import errors, machines
from zitadel_standin.callers import Caller
from zitadel_standin.errors import ApiError
from zitadel_standin.requests import json_body, node_of
from zitadel_standin.searching import moment

NEVER = "9999-12-31T23:59:59Z"
"""When a key expires that was given no date, as with ZITADEL."""


class IdBody(msgspec.Struct, rename="camel"):
    """Every procedure about a secret or key; the ids stand in the body for Connect only."""

    user_id: str | None = None
    key_id: str | None = None
    expiration_date: str | None = None
    public_key: str | None = None


async def add_secret(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/users/{id}/secret: the one time the secret is shown."""
    caller.require("user.write")
    secret, told = await machines.set_secret(node_of(request), _id(request, await json_body(request, IdBody)))
    answer = {"creationDate": told["told_at"].isoformat(), "clientSecret": secret}
    return JSONResponse(answer, headers={"cache-control": "no-store"})


async def remove_secret(request: Request, caller: Caller) -> JSONResponse:
    """DELETE /v2/users/{id}/secret."""
    caller.require("user.write")
    user_id = _id(request, await json_body(request, IdBody))
    _, told = await machines.set_secret(node_of(request), user_id, remove=True)
    return JSONResponse({"deletionDate": told["told_at"].isoformat()})


async def add_key(request: Request, caller: Caller) -> JSONResponse:
    """POST /v2/users/{id}/keys: the one time a private key made here is shown."""
    caller.require("user.write")
    body = await json_body(request, IdBody)
    expires = moment(body.expiration_date or NEVER)
    if expires <= datetime.datetime.now(datetime.UTC):
        raise ApiError(errors.INVALID_ARGUMENT, "expirationDate must lie in the future")
    public = machines.decoded_key(body.public_key) if body.public_key else ""
    key_id, content, told = await machines.add_key(node_of(request), _id(request, body), expires, public)
    answer = {"creationDate": told["told_at"].isoformat(), "keyId": key_id}
    if content:
        answer["keyContent"] = base64.b64encode(content).decode()
    return JSONResponse(answer, headers={"cache-control": "no-store"})


async def remove_key(request: Request, caller: Caller) -> JSONResponse:
    """DELETE /v2/users/{id}/keys/{key}."""
    caller.require("user.write")
    body = await json_body(request, IdBody)
    key_id = request.path_params.get("key") or body.key_id or ""
    told = await machines.remove_key(node_of(request), _id(request, body), key_id)
    return JSONResponse({"deletionDate": told["told_at"].isoformat()})


def _id(request: Request, body: IdBody) -> str:
    return request.path_params.get("id") or body.user_id or ""
