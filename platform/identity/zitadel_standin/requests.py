"""Reads a request's parts: JSON bodies of the v2 API, forms, and who is calling."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import Request

from zitadel_standin import errors
from zitadel_standin.errors import ApiError, OAuthError
from zitadel_standin.node import Node

Body = TypeVar("Body", bound=msgspec.Struct)


def node_of(request: Request) -> Node:
    """The node that serves this request."""
    node: Node = request.app.state.node
    return node


async def json_body(request: Request, shape: type[Body]) -> Body:
    """The body as the given shape; an empty body is an empty object. ApiError when it is malformed or not JSON.

    By REST a body without a media type is taken for JSON, as gRPC-Gateway takes it; a Connect call must name it.
    """
    given = _media_type(request)
    if given != "application/json" and (given or request.scope["path"].startswith("/zitadel.")):
        raise ApiError(errors.INVALID_ARGUMENT, "the body must be application/json", 415)
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ApiError(errors.INVALID_ARGUMENT, f"Malformed request: {type(error).__name__}") from None


async def form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded body; OAuthError for another media type or a field given twice (RFC 6749 3.2)."""
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    return _unique(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def query(request: Request) -> dict[str, str]:
    """The query's parameters; OAuthError when one is given twice (RFC 6749 section 3.1)."""
    return _unique(request.query_params.multi_items())


def bearer(request: Request) -> str:
    """The access token of the request, empty when there is none (RFC 6750 section 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def client_of(request: Request, fields: dict[str, str]) -> tuple[str, str]:
    """Client id and secret from HTTP Basic (RFC 6749 section 2.3.1) or the form; empty strings when not given."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return fields.get("client_id", ""), fields.get("client_secret", "")
    if "client_secret" in fields:
        raise OAuthError("invalid_request", "more than one way of client authentication")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", "malformed Basic credentials", 401) from None
    return unquote(user), unquote(password)


def required(fields: dict[str, str], name: str) -> str:
    """The field's value; OAuthError when it is missing or empty."""
    if not fields.get(name):
        raise OAuthError("invalid_request", f"{name} is missing")
    return fields[name]


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise OAuthError("invalid_request", "a parameter is given twice")
    return fields
