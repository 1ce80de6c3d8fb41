"""What the event relay's component makes of its instances' answers, from real HTTP servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from process_target import ProcessTarget

from chaosblink import components
from chaosblink.components.eventrelay import DELIVERY_MS, RESTART_MS
from chaosblink.targets import Instance, PlatformError

SETTINGS = {"lease_ms": 3000, "ask_ms": 500, "poll_ms": 250, "batch_ms": 1000}
Make = Callable[..., components.Component]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Make]:
    """A component whose instances say what the test gives them; None is one that does not answer."""
    servers: list[ThreadingHTTPServer] = []

    def instance(number: int, said: dict[str, Any] | None) -> Instance:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        if said is None:
            server.shutdown()
            server.server_close()
        return Instance(f"eventrelay-{number}", "eventrelay", number, "127.0.0.1", server.server_port, "")

    def make(*roles: str | None, **settings: int) -> components.Component:
        told = [role and {"role": role, "healthy": True, "settings": SETTINGS | settings} for role in roles]
        found = [instance(number, said or None) for number, said in enumerate(told)]
        target = ProcessTarget(tmp_path)
        target.instances = lambda *_: found
        return components.of(target, "eventrelay")

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_one_active_one_standing_by_and_a_consumer_are_redundant(relay: Make) -> None:
    answer = relay("active", "standby", "consumer").redundant()
    assert answer.ok
    assert answer.why == "eventrelay-0 active, 1 standing by, 1 consuming"


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (("active", "active", "consumer"), "active: eventrelay-0, eventrelay-1"),
        (("standby", "standby", "consumer"), "active: none"),
        (("active", None, "consumer"), "eventrelay-1 does not answer"),
        (("active", "standby", None), "eventrelay-2 does not answer"),
        (("active", "standby", "waiting"), "eventrelay-2 waiting"),
    ],
)
def test_less_is_not_redundant(relay: Make, roles: tuple[str | None, ...], why: str) -> None:
    answer = relay(*roles).redundant()
    assert not answer.ok
    assert why in answer.why


def test_the_bound_is_the_takeover_and_the_way_to_the_consumer(relay: Make) -> None:
    bound = relay("active", "standby", "consumer").bound()
    assert bound.ms == 3500 + 1000 + 2 * 250 + DELIVERY_MS
    assert bound.ms <= 8000


def test_a_restart_that_takes_longer_than_a_takeover_counts_instead(relay: Make) -> None:
    assert relay("active", lease_ms=100).bound().ms == RESTART_MS + 1000 + 2 * 250 + DELIVERY_MS


def test_an_instance_that_is_silent_leaves_the_bound_unknown(relay: Make) -> None:
    with pytest.raises(PlatformError, match="eventrelay-1 did not tell"):
        relay("active", None).bound()
