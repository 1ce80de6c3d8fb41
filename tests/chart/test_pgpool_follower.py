"""PgPool's follower: which primary it calls frozen, and what the next start of PgPool leaves out."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from chaosblink.targets.local.layout import CHART

FILES = CHART / "files" / "pgpool"
HERE = "127.0.0.1"
SSL_REQUEST = (80877103).to_bytes(4)
FIELDS = b"SFATAL\0VFATAL\0C57P03\0Mstarting up\0\0"
STARTING_UP = b"E" + (4 + len(FIELDS)).to_bytes(4) + FIELDS
"""PostgreSQL's answer while it starts (ErrorResponse, cannot_connect_now)."""


def bash(tmp_path: Path, port: int, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the follower's functions, a backend 0 at this port that was primary and one that is gone."""
    secrets = {name: str(tmp_path) for name in ("DATA", "SECRETS")}
    given = {"INSTANCE": "pgpool-0", "ADDRESS": HERE, "PGPOOL_BACKEND_PORT": str(port), "PATH": os.environ["PATH"]}
    backends = {"BACKENDS": f"postgresql-0={HERE} postgresql-1=127.0.0.2"}
    begin = f"set -euo pipefail; source {FILES}/settings.sh; source {FILES}/follow.sh; LAST_PRIMARY=0; "
    return subprocess.run(
        ["bash", "-c", begin + script],
        env=secrets | given | backends,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """A port that takes connections and gives each this answer (None: never any); its number."""
    with socket.create_server((HERE, 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    link, _ = listening.accept()
                except OSError:  # closed
                    return
                with link, suppress(OSError):  # who only tried whether it is taken is gone by now
                    if link.recv(1024)[4:8] == SSL_REQUEST:
                        link.sendall(b"N")
                        link.recv(1024)
                    link.sendall(answer or b"")

        if answer:
            threading.Thread(target=serve, daemon=True).start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)


def refusing() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def is_frozen(tmp_path: Path, port: int, heard_s_ago: int) -> bool:
    """What the follower says of backend 0."""
    done = bash(tmp_path, port, f"SECONDS={heard_s_ago}; primary_is_frozen && echo frozen || echo not")
    assert done.stdout in ("frozen\n", "not\n"), done.stderr
    return done.stdout == "frozen\n"


def test_a_primary_that_takes_connections_and_never_answers_is_frozen(tmp_path: Path) -> None:
    with server(answer=None) as port:
        assert is_frozen(tmp_path, port, heard_s_ago=5)
        assert not is_frozen(tmp_path, port, heard_s_ago=3)


def test_a_primary_that_is_gone_is_not_frozen(tmp_path: Path) -> None:
    assert not is_frozen(tmp_path, refusing(), heard_s_ago=60)


def test_a_primary_that_starts_is_not_frozen(tmp_path: Path) -> None:
    with server(STARTING_UP) as port:
        assert not is_frozen(tmp_path, port, heard_s_ago=60)


@pytest.mark.parametrize(("primary", "left_out"), [(1, "0"), (0, "")])
def test_the_next_start_leaves_the_frozen_one_out_unless_it_is_primary_after_all(
    tmp_path: Path, primary: int, left_out: str
) -> None:
    (tmp_path / "run").mkdir()
    answers = f"real_primary() {{ echo {primary}; }}; backend_answers() {{ return 0; }}; "
    done = bash(tmp_path, 1, answers + 'start_anew why 0; wait_for_backends; write_status; echo "$LEFT_OUT"')
    assert done.stdout.strip() == left_out, done.stderr
    first = "down" if left_out else "up"
    assert (tmp_path / "run" / "pgpool_status").read_text().split() == [first, "up"]
    assert not (tmp_path / "stuck").exists()
