"""No secret of the platform in a run's folder, in a log or in a process list; also not in another writing."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from pathlib import Path

import psutil

from chaosblink.experiments.run_folder import RUNS
from chaosblink.targets.local.target import state_of

TOKEN = re.compile(rb"eyJ[\w-]{10,}\.eyJ|[?&]code=[\w-]{8,}")
"""A JWT, or an OIDC code in an address."""


def writings(platform: str) -> set[bytes]:
    """Every secret the platform holds, as it is and as base64 and URLs write it."""
    plain = set()
    for path in (state_of(platform) / "secrets").iterdir():
        content = path.read_bytes()
        if path.name == "init.json":
            plain |= {share.encode() for share in json.loads(content).get("recovery_keys_b64", [])}
        else:
            plain.add(content.strip())
    encoded = {base64.b64encode(secret) for secret in plain}
    quoted = {urllib.parse.quote(secret, safe="").encode() for secret in plain}
    return {secret for secret in plain | encoded | quoted if len(secret) >= 16}


def files_below(folder: Path) -> list[Path]:
    """All files, at least one."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return found


def runs_of(platform: str) -> list[Path]:
    """Folders of this platform's runs: those the interrupted runs left."""
    return [f.parent for f in RUNS.glob("*/run.json") if json.loads(f.read_text())["platform"] == platform]


def leaking(platform: str, files: list[Path]) -> list[str]:
    """Those of the files that hold a secret or a token."""
    secrets = writings(platform)
    return [str(path) for path in files if leaks(path.read_bytes(), secrets)]


def leaks(content: bytes, secrets: set[bytes]) -> bool:
    """Whether a text holds one of the secrets or a token."""
    return any(secret in content for secret in secrets) or bool(TOKEN.search(content))


def test_no_secret_in_a_log(platform: str) -> None:
    assert leaking(platform, files_below(state_of(platform) / "logs")) == []


def test_no_secret_in_a_run_folder(platform: str) -> None:
    runs = runs_of(platform)
    assert runs, "no run of this platform: run this folder's tests together, the interrupted runs leave some"
    assert leaking(platform, [path for run in runs for path in files_below(run)]) == []


def test_no_secret_in_the_process_list(platform: str) -> None:
    arguments = b"\0".join("\0".join(p.info["cmdline"] or []).encode() for p in psutil.process_iter(["cmdline"]))
    assert [secret for secret in writings(platform) if secret in arguments] == []


def test_secret_files_are_private(platform: str) -> None:
    secrets = state_of(platform) / "secrets"
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
