"""Puts the application together: routes, refusals, and the preparation of the database in the background."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from zitadel_standin import api, discovery, errors, health, logout, metrics, oauth, schema
from zitadel_standin.authorization import with_parameters
from zitadel_standin.boundary import Boundary
from zitadel_standin.cache import Cache
from zitadel_standin.database import Database, Unavailable, one_line
from zitadel_standin.errors import ApiError, OAuthError, RedirectedError
from zitadel_standin.node import Node
from zitadel_standin.settings import Settings

log = logging.getLogger("zitadel_standin")

PREPARE_AGAIN_AFTER = 0.5
"""Seconds between two attempts to prepare a database that is away."""


def create(settings: Settings) -> Starlette:
    """The ASGI application of one node."""
    metrics.BCRYPT_COST.set(settings.bcrypt_cost)
    app = Starlette(
        routes=[*health.ROUTES, *discovery.ROUTES, *oauth.ROUTES, *logout.ROUTES, *api.ROUTES],
        middleware=[Middleware(Boundary, instance=settings.instance)],
        exception_handlers={
            ApiError: _refuse,
            OAuthError: _refuse,
            RedirectedError: _redirect,
            HTTPException: _not_served,
            psycopg.DataError: _bad_value,
            psycopg.errors.ForeignKeyViolation: _gone,
            Unavailable: _database_lost,
            psycopg.Error: _database_lost,
            RuntimeError: _not_prepared,
        },
        lifespan=_lifespan,
    )
    app.state.settings = settings
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    node = Node(settings, Database(settings), Cache(settings))
    gc.freeze()  # what was made by now stays for good: the collector need not look at it with every full collection
    app.state.node = node
    preparing = asyncio.create_task(_prepare_until_done(node))
    yield
    preparing.cancel()
    await node.cache.close()
    await node.database.close()


async def _prepare_until_done(node: Node) -> None:
    """Prepare the database, however long there is no primary; `/debug/ready` says 412 meanwhile."""
    said = ""
    while node.key is None:
        try:
            node.key = await schema.prepare(node.database, node.settings)
        except Exception as error:
            if (why := f"{type(error).__name__}: {one_line(error)}") != said:
                log.warning("the database cannot be prepared yet: %s", why)
                said = why
            await asyncio.sleep(PREPARE_AGAIN_AFTER)
    log.info("ready: bcrypt cost %d", node.settings.bcrypt_cost)


async def _refuse(request: Request, error: Exception) -> Response:
    """A refusal in the shape of the endpoint: OAuth's, Connect's or ZITADEL's REST."""
    if isinstance(error, OAuthError):
        headers = {"cache-control": "no-store"}
        if error.status == 401:
            bearer = error.error == "invalid_token"
            headers["www-authenticate"] = 'Bearer error="invalid_token"' if bearer else 'Basic realm="zitadel"'
        return JSONResponse({"error": error.error, "error_description": error.description}, error.status, headers)
    assert isinstance(error, ApiError)
    code: int | str = error.code
    if request.url.path.startswith("/zitadel."):
        code = errors.CONNECT_NAME[error.code]
    return JSONResponse({"code": code, "message": error.message, "details": []}, error.http_status)


async def _redirect(_: Request, error: Exception) -> Response:
    assert isinstance(error, RedirectedError)
    parameters = {"error": error.error, "error_description": error.description, "state": error.state}
    return RedirectResponse(with_parameters(error.redirect_uri, **parameters), 302)


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code: int | str = errors.NOT_FOUND
    if request.url.path.startswith("/zitadel."):
        code = errors.CONNECT_NAME[errors.UNIMPLEMENTED]
    refusal: dict[str, Any] = {"code": code, "message": error.detail, "details": []}
    return JSONResponse(refusal, error.status_code, error.headers)


async def _bad_value(request: Request, _: Exception) -> Response:
    """A value the database cannot store, such as a NUL character, is the caller's mistake."""
    return await _shaped(request, errors.INVALID_ARGUMENT, "invalid_request", "a value has characters we do not accept")


async def _gone(request: Request, _: Exception) -> Response:
    """What the request builds on, such as its user, was removed by another one at the same moment."""
    return await _shaped(request, errors.FAILED_PRECONDITION, "invalid_grant", "what this refers to is gone")


async def _database_lost(request: Request, error: Exception) -> Response:
    """The request's own failure, never retried: the outcome of what it was doing may be unknown."""
    log.warning("%s %s failed: %s: %s", request.method, _route(request), type(error).__name__, one_line(error))
    gone = isinstance(error, Unavailable | psycopg.OperationalError | psycopg.errors.UndefinedTable)
    return await _shaped(request, errors.UNAVAILABLE if gone else errors.INTERNAL, "server_error", "database error")


async def _not_prepared(request: Request, error: Exception) -> Response:
    if request.app.state.node.key is not None:
        raise error
    return await _shaped(request, errors.UNAVAILABLE, "server_error", "the database has not been prepared yet")


async def _shaped(request: Request, code: int, oauth_error: str, message: str) -> Response:
    if request.url.path.startswith(("/oauth/", "/oidc/")):
        return await _refuse(request, OAuthError(oauth_error, message, errors.HTTP_STATUS[code]))
    return await _refuse(request, ApiError(code, message))


def _route(request: Request) -> str:
    """The route's pattern: ids and queries stay out of the log."""
    return getattr(request.scope.get("route"), "path", "unknown route")
