"""HTTPS in front of the verbs: no certificate or no token of the present run, no answer."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from chaosblink.agent.verbs import Guardian, Verbs
from chaosblink.faults.effect import FaultError
from chaosblink.targets import PlatformError
from chaosblink.waiting import Timeout

LOOK_EVERY_S = 0.5


def trust(directory: Path) -> ssl.SSLContext:
    """TLS of the server side: `tls.crt`, `tls.key`, and clients must show a certificate of `ca.crt`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(directory / "ca.crt"))
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def application(verbs: Verbs, guardian: Guardian, holds: Callable[[str], bool]) -> web.Application:
    """`POST /v1/<verb>` with JSON; answers `{"received", "replied", "result"}`, times of the node's monotonic clock."""

    async def answer(request: web.Request) -> web.Response:
        received = time.monotonic_ns()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not await asyncio.to_thread(holds, token):
            return _refused(401, "the token is not the present run's")
        verb = verbs.known.get(request.match_info["verb"])
        if verb is None:
            return _refused(404, f"no verb {request.match_info['verb']!r}; there are {', '.join(verbs.known)}")
        guardian.heard()
        try:
            result = await asyncio.to_thread(verb, await request.json())
        except (KeyError, TypeError, ValueError) as error:
            return _refused(400, f"{type(error).__name__}: {error}")
        except (FaultError, PlatformError, Timeout) as error:
            return _refused(409, str(error))
        return web.json_response({"received": received, "replied": time.monotonic_ns(), "result": result})

    app = web.Application()
    app.router.add_post("/v1/{verb}", answer)
    return app


def _refused(status: int, why: str) -> web.Response:
    print(json.dumps({"refused": why}), flush=True)
    return web.json_response({"error": why}, status=status)


async def serve(
    app: web.Application, guardian: Guardian, tls: Path, address: str, port: int, stop: asyncio.Event
) -> None:
    """Serve and guard until `stop` is set; then everything is undone before this returns."""
    await _look(guardian)
    guardian.forget()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, port, ssl_context=trust(tls)).start()
    while not stop.is_set():
        await _look(guardian)
        try:
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        except TimeoutError:
            continue
    await runner.cleanup()
    guardian.CONTACT_S = 0.0  # nobody can be in contact any more
    await _look(guardian)


async def _look(guardian: Guardian) -> None:
    for line in await asyncio.to_thread(guardian.look):
        print(json.dumps({"guardian": line}), flush=True)
