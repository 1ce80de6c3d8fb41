"""The watch on a real platform, in a pipe and on a terminal: it tells what happens and ends cleanly on Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

from chaosblink.waiting import until
from tests.platform.conftest import CHAOSBLINK, Cli


def test_in_a_pipe_it_says_each_change_and_ends_cleanly(cli: Cli, platform: str, tmp_path: Path) -> None:
    log = tmp_path / "watch.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [CHAOSBLINK, "watch", "--name", platform], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until(lambda: "vault-0" in log.read_text() and "logins: " in log.read_text(), 40, "roles and logins are said")
        cli("stop", "--name", platform, "identity-1")
        until(lambda: "identity-1 ready -> no answer" in log.read_text(), 20, "the stopped node is said to be gone")
        cli("start", "--name", platform, "identity-1")
        until(lambda: "identity-1 no answer -> " in log.read_text(), 60, "its return is said")
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    finally:
        process.kill()
        cli("start", "--name", platform, "identity-1")
        whole = cli("status", "--name", platform, "--within", "90")
    assert whole.returncode == 0, whole.stdout
    said = log.read_text()
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("logins: ")


def test_on_a_terminal_it_draws_a_table(platform: str) -> None:
    ours, theirs = pty.openpty()
    command = [CHAOSBLINK, "watch", "--name", platform, "--seconds", "4"]
    process = subprocess.Popen(
        command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    )
    os.close(theirs)
    drawn = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        drawn += part
    os.close(ours)
    assert process.wait(15) == 0
    for word in (b"instance", b"leader", b"primary", b"succeeded"):
        assert word in drawn
    assert b"Traceback" not in drawn
