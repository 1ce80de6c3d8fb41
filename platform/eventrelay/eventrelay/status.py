"""What an instance says of itself over HTTP: /status (JSON), /healthz and /metrics."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from eventrelay import __version__, metrics
from eventrelay.settings import Settings
from eventrelay.source import one_line

log = logging.getLogger("eventrelay")

STALE_S = 10.0
"""An instance whose last good turn is older than this is not healthy."""
TOLD = ("batch_size", "batch_ms", "poll_ms", "lease_ms", "ask_ms", "deepest", "clock_skew_ms")
"""Settings that are told to whoever asks: they bound how late an event may be."""


@dataclass(slots=True)
class Status:
    """Written by the main loop, read by the web server's threads; each field is replaced whole."""

    settings: Settings
    role: str = "starting"
    """active, standby or consumer once there was a good turn."""
    trouble: str = "no turn yet"
    """Why the last turn failed; empty after a good one."""
    good_at: float = field(default=float("-inf"))

    def good(self, role: str) -> None:
        """A turn ended well."""
        self.role, self.trouble, self.good_at = role, "", time.monotonic()

    def failed(self, of: str, error: Exception) -> None:
        """A turn failed over PostgreSQL or Redis (`of`); logged when it is another trouble than before."""
        metrics.ERRORS.labels(of).inc()
        if (trouble := f"{of}: {one_line(error)}") != self.trouble:
            log.warning("%s", trouble)
        self.role, self.trouble = "waiting", trouble

    @property
    def healthy(self) -> bool:
        """Whether a turn ended well lately."""
        return time.monotonic() - self.good_at < STALE_S

    def told(self) -> dict[str, Any]:
        """The answer of /status."""
        settings = {name: getattr(self.settings, name) for name in TOLD}
        said = {"instance": self.settings.instance, "version": __version__, "role": self.role, "healthy": self.healthy}
        return {**said, "trouble": self.trouble, "settings": settings}


def serve(status: Status) -> ThreadingHTTPServer:
    """Serve in threads of its own until `shutdown`; OSError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        # Head and body go out in two writes: with Nagle's algorithm the second would wait for the client's answer.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            match self.path:
                case "/healthz":
                    self._answer(200 if status.healthy else 503, "text/plain", (status.trouble or "ok").encode())
                case "/status":
                    self._answer(200, "application/json", json.dumps(status.told()).encode())
                case "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
                case _:
                    self._answer(404, "text/plain", b"there are /status, /healthz and /metrics")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Every question would cost more than it tells."""

    server = ThreadingHTTPServer((status.settings.address, status.settings.port), Handler)
    threading.Thread(target=server.serve_forever, name="status", daemon=True).start()
    return server
