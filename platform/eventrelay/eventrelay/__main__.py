"""`python -m eventrelay relay` or `python -m eventrelay consumer`: one instance, until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from functools import partial

from eventrelay import connect
from eventrelay.consumer import Consumer
from eventrelay.delivery import Delivery
from eventrelay.lists import Lists
from eventrelay.relay import Relay
from eventrelay.settings import Settings, SettingsError, from_environment
from eventrelay.source import Source
from eventrelay.status import Status, serve

DATABASES = {"relay": "zitadel", "consumer": "chaos"}
"""Default name of the database, and of its user, that each program speaks to."""


def main() -> None:
    """Exit code 2 and one line for a wrong command or setting, 0 after SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    program = sys.argv[1] if len(sys.argv) == 2 else ""
    try:
        if program not in DATABASES:
            raise SettingsError(f"usage: python -m eventrelay {'|'.join(DATABASES)}")
        settings = from_environment(os.environ, DATABASES[program])
    except SettingsError as error:
        print(f"eventrelay: {error}", file=sys.stderr)
        sys.exit(2)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    status = Status(settings)
    server = serve(status)
    made(program, settings, status).run(stopping)
    server.shutdown()


def made(program: str, settings: Settings, status: Status) -> Relay | Delivery:
    """The program, not connected to anything yet."""
    dial, client = partial(connect.postgresql, settings), connect.redis(settings)
    if program == "relay":
        # a name of its own for each life: a restarted relay does not take its dead self for the active one
        return Relay(Source(dial), Lists(client), status, f"{settings.instance}@{os.urandom(4).hex()}")
    return Delivery(Consumer(client, settings.instance, settings.lease_ms), dial, status)


if __name__ == "__main__":
    main()
