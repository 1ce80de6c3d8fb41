"""A fake of the identity's login contract and of Vault's KV store, to make them misbehave on demand.

Only for tests of how clients classify what they are told; nothing here proves anything about a platform.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

CLIENT = "blinkchamber-login"
REDIRECT = "https://app.blinkchamber.test/callback"


class Fake:
    """Its attributes change what it answers; `seen` counts requests by step, `connections` how many were opened."""

    def __init__(self) -> None:
        self.port = 0
        self.status_of: dict[str, int] = {}
        self.drops: set[str] = set()
        self.hangs: set[str] = set()
        self.audience = CLIENT
        self.state: str | None = None
        self.redirect = REDIRECT
        self.active = True
        self.machines: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.seen: Counter[str] = Counter()
        self.connections: set[object] = set()

    def application(self) -> web.Application:
        """Routes of both contracts."""
        app = web.Application(middlewares=[self._misbehave])
        app.add_routes(
            [
                web.get("/oauth/v2/authorize", self.authorize, name="authorize"),
                web.post("/v2/sessions", self.session, name="session"),
                web.patch("/v2/sessions/{id}", self.password, name="password"),
                web.delete("/v2/sessions/{id}", self.logout, name="logout"),
                web.post("/v2/oidc/auth_requests/{id}", self.callback, name="callback"),
                web.post("/oauth/v2/token", self.token, name="token"),
                web.get("/oidc/v1/userinfo", self.userinfo, name="userinfo"),
                web.post("/oauth/v2/introspect", self.introspect, name="introspect"),
                web.post("/v2/users/new", self.add_machine, name="add-machine"),
                web.post("/v2/users/{id}/secret", self.add_secret, name="add-secret"),
                web.delete("/v2/users/{id}", self.remove_machine, name="remove-machine"),
                web.post("/v1/auth/approle/login", self.approle, name="approle"),
                web.post("/v1/secret/data/{path:.*}", self.write, name="write"),
            ]
        )
        return app

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        step = request.match_info.route.name or ""
        self.seen[step] += 1
        self.connections.add(request.transport)
        if step in self.hangs:
            await asyncio.sleep(60)
        if step in self.drops and request.transport:
            request.transport.abort()
        if step in self.status_of:
            return web.json_response({}, status=self.status_of[step])
        answer: web.StreamResponse = await handler(request)
        answer.headers["x-served-by"] = "identity-1"
        return answer

    async def authorize(self, request: web.Request) -> web.Response:
        assert request.headers["x-zitadel-login-client"]
        assert request.host.startswith("platform.test")
        return web.Response(status=302, headers={"location": f"/login?authRequest=V2_{request.query['state']}"})

    async def session(self, _request: web.Request) -> web.Response:
        return web.json_response({"sessionId": str(self.seen["session"]), "sessionToken": "first"}, status=201)

    async def password(self, _request: web.Request) -> web.Response:
        return web.json_response({"sessionToken": "second"})

    async def logout(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def callback(self, request: web.Request) -> web.Response:
        assert (await request.json())["session"]["sessionToken"] == "second"
        state = request.match_info["id"].removeprefix("V2_") if self.state is None else self.state
        return web.json_response({"callbackUrl": f"{self.redirect}?{urlencode({'code': 'c', 'state': state})}"})

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form["grant_type"] == "client_credentials":
            name, _, secret = base64.b64decode(request.headers["authorization"].split()[1]).decode().partition(":")
            assert (name in self.machines, secret) == (True, "machine-secret")
            return web.json_response({"access_token": "m"})
        if form["grant_type"] == "refresh_token":
            assert form["refresh_token"] in self.refresh_tokens
            self.refresh_tokens.discard(str(form["refresh_token"]))
        claims = (
            base64.urlsafe_b64encode(json.dumps({"aud": [self.audience], "sub": "7"}).encode()).decode().rstrip("=")
        )
        fresh = f"r{sum(self.seen.values())}"
        self.refresh_tokens.add(fresh)
        return web.json_response({"access_token": "a", "id_token": f"e30.{claims}.s", "refresh_token": fresh})

    async def userinfo(self, _request: web.Request) -> web.Response:
        return web.json_response({"sub": "7"})

    async def introspect(self, request: web.Request) -> web.Response:
        assert (await request.post())["token"] == "a"
        return web.json_response({"active": self.active, "sub": "7"})

    async def add_machine(self, request: web.Request) -> web.Response:
        self.machines.add((await request.json())["username"])
        return web.json_response({"id": "m-1"}, status=201)

    async def add_secret(self, _request: web.Request) -> web.Response:
        return web.json_response({"clientSecret": "machine-secret"})

    async def remove_machine(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def approle(self, _request: web.Request) -> web.Response:
        return web.json_response({"auth": {"client_token": "t"}})

    async def write(self, _request: web.Request) -> web.Response:
        return web.json_response({}, headers={"X-Vault-Raft-Node-ID": "vault-2"})


@contextmanager
def serving(certificate: Path) -> Iterator[Fake]:
    """The fake over TLS on a loopback port of its own, in a thread."""
    fake, loop = Fake(), asyncio.new_event_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def begin() -> web.AppRunner:
        runner = web.AppRunner(fake.application(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        fake.port = runner.addresses[0][1]
        return runner

    runner = loop.run_until_complete(begin())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
