"""No secret of the platform in a run's folder, in a log or in a process list; also not in another writing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psutil

from chaosblink.conformance import exposure
from chaosblink.experiments.run_folder import RUNS
from chaosblink.targets import open_target
from chaosblink.targets.local.target import state_of

TOKEN = re.compile(rb"eyJ[\w-]{10,}\.eyJ|[?&]code=[\w-]{8,}")
"""A JWT, or an OIDC code in an address."""


def writings(platform: str) -> dict[bytes, str]:
    """Every secret the platform holds, in every writing."""
    return exposure.writings(open_target(platform))


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


def leaks(content: bytes, secrets: dict[bytes, str]) -> bool:
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
    assert exposure.named_in(arguments, writings(platform)) == []


def test_secret_files_are_private(platform: str) -> None:
    secrets = state_of(platform) / "secrets"
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
