"""The folder of a run: made at the start with all that is known then, so that it can be judged anywhere later."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from chaosblink import __version__
from chaosblink.targets import Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.local.layout import ROOT

RUNS = ROOT / "reports" / "runs"
STAND_INS = {
    "Vault": "OpenBao (same API and Raft, MPL)",
    "ZITADEL": "ZITADEL stand-in (platform/identity): ZITADEL's contract, not its code",
    "KMS": "static seal key in a file of mode 0600",
}
LOCAL_STAND_INS = {"Kubernetes": "supervisord as kubelet, one network namespace an instance"}


def place(kind: str) -> Path:
    """Where a new run's folder shall be made; in a pod of the suite it lies on the volume that outlives the pod.

    `kind` ends its name: `local`, `local-conformance`.
    """
    named = f"{datetime.datetime.now():%Y%m%d-%H%M%S}"
    if names.inside():
        return names.KEPT / "runs" / (os.environ.get("CHAOSBLINK_RUN") or f"{named}-kubernetes")
    return RUNS / f"{named}-{kind}"


def create(target: Target, options: dict[str, Any], versions: dict[str, str], folder: Path | None = None) -> Path:
    """Make the folder and write run.json; the name is the local time and the kind of target."""
    stamp = datetime.datetime.now().astimezone()
    run = folder or RUNS / f"{stamp:%Y%m%d-%H%M%S}-{target.kind}"
    run.mkdir(parents=True)
    content = {
        "chaosblink": __version__,
        "target": target.kind,
        "platform": target.name,
        "wall": stamp.isoformat(timespec="seconds"),
        "monotonic_ns": time.monotonic_ns(),
        "commit": _commit(),
        "options": options,
        "seed": options["seed"],
        "values": target.settings,
        "versions": versions,
        "stand_ins": STAND_INS | (LOCAL_STAND_INS if target.kind == "local" else {}),
        "machine": _machine(),
    }
    (run / "run.json").write_text(json.dumps(content, indent=1))
    return run


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    if told := os.environ.get("CHAOSBLINK_COMMIT"):  # in an image there is no repository
        return told
    head = git("rev-parse", "--short", "HEAD") or "not from a repository"
    return head + (" with uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def _machine() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }
