"""Between the network and the application: body limit, who answered, how long it took, and clients that went away."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zitadel_standin import errors, metrics

LARGEST_BODY = 64 * 1024
"""Bytes; larger bodies are answered with 413 and never parsed."""


LONGEST_QUERY = 16 * 1024
"""Bytes; longer queries are answered with 414. ZITADEL's proxies refuse them too."""


class Boundary:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, instance: str) -> None:
        self._app = app
        self._served_by = (b"x-served-by", instance.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP is passed on untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._served_by)
        body = await _read(receive)
        if body is None:
            return
        started = time.monotonic()
        refusal = _too_large(scope, body)
        if refusal:
            await refusal(scope, receive, answer.send)
        else:
            await _serve_while_connected(self._app, scope, body, receive, answer.send)
        took = time.monotonic() - started
        path = getattr(scope.get("route"), "path", "other")
        metrics.DURATION.labels(scope["method"], path, answer.status).observe(took)
        if path.startswith("/zitadel."):
            metrics.GRPC_DURATION.labels(path, answer.status).observe(took)


class _Answer:
    """Passes the answer on, with the node's name in its head, and remembers its status."""

    def __init__(self, send: Send, served_by: tuple[bytes, bytes]) -> None:
        self._send = send
        self._served_by = served_by
        self.status = "none"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = str(message["status"])
            message["headers"] = [*message.get("headers", []), self._served_by]
        await self._send(message)


def _too_large(scope: Scope, body: bytes) -> JSONResponse | None:
    if len(body) > LARGEST_BODY:
        status, what = 413, "request body too large"
    elif len(scope["query_string"]) > LONGEST_QUERY:
        status, what = 414, "query too long"
    else:
        return None
    code: int | str = errors.RESOURCE_EXHAUSTED
    if scope["path"].startswith("/zitadel."):
        code = errors.CONNECT_NAME[errors.RESOURCE_EXHAUSTED]
    return JSONResponse({"code": code, "message": what, "details": []}, status, {"connection": "close"})


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or as much of it as shows that it is too large; None when the client left meanwhile."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > LARGEST_BODY:
            return body


async def _serve_while_connected(app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Run the application, and cancel it when the client goes away, as Go's net/http does.

    Otherwise requests that hang on a frozen database would keep its ten connections long after their clients left.
    """
    replay: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return replay.pop() if replay else await receive()

    serving = asyncio.ensure_future(app(scope, replayed, send))
    leaving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((serving, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not serving.done():
            serving.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        if not serving.cancelled():
            raise
