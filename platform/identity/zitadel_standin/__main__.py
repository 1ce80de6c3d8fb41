"""Runs one node: `python -m zitadel_standin`, configured by its environment (see settings)."""

from __future__ import annotations

import logging
import os
import sys

import uvicorn

from zitadel_standin import app
from zitadel_standin.settings import SettingsError, from_environment


def main() -> None:
    """Serve until SIGTERM; exit code 2 and one line for a wrong setting."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        print(f"zitadel-standin: {error}", file=sys.stderr)
        sys.exit(2)
    uvicorn.run(
        app.create(settings),
        host=settings.address,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
