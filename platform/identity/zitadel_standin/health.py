"""The `/debug` endpoints: alive, ready, metrics."""

from __future__ import annotations

import asyncio

import psycopg
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from zitadel_standin import metrics
from zitadel_standin.database import Unavailable
from zitadel_standin.requests import node_of

DATABASE_PATIENCE = 2.0
"""Seconds a health answer waits for the database."""


async def healthz(_: Request) -> Response:
    """GET /debug/healthz: the process answers, whatever is missing behind it."""
    return PlainTextResponse("ok")


async def ready(request: Request) -> Response:
    """GET /debug/ready: 412 while the database is away or not prepared yet."""
    node = node_of(request)
    if node.key is None or await _count(request, "SELECT 1 AS n") is None:
        return PlainTextResponse("database is not available", 412)
    return PlainTextResponse("ok")


async def show_metrics(request: Request) -> Response:
    """GET /debug/metrics: Prometheus text; the number of users is NaN while the database is away."""
    node = node_of(request)
    users = await _count(request, "SELECT count(*) AS n FROM identity.users") if node.key else None
    metrics.USERS.set(float("nan") if users is None else users)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _count(request: Request, query: str) -> int | None:
    try:
        async with asyncio.timeout(DATABASE_PATIENCE):
            row = await node_of(request).database.one(query, {})
    except (Unavailable, psycopg.Error, TimeoutError):
        return None
    return row["n"] if row else None


ROUTES = [
    Route("/debug/healthz", healthz, methods=["GET"]),
    Route("/debug/ready", ready, methods=["GET"]),
    Route("/debug/metrics", show_metrics, methods=["GET"]),
]
