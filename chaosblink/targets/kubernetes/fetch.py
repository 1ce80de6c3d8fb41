"""Brings run folders back from the cluster's volume, through a pod made for it that sees nothing else."""

from __future__ import annotations

import secrets
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import execution, names
from chaosblink.targets.kubernetes.api import Api
from chaosblink.targets.kubernetes.manifests import Applier, render
from chaosblink.waiting import Timeout, until

RUNS = f"{names.KEPT}/runs"
READY_WITHIN_S = 120.0


class Reader:
    """A pod with the runs' volume."""

    def __init__(self, api: Api, pod: str) -> None:
        self._api, self._place = api, (names.NAMESPACE, pod, "reader")

    def runs(self) -> list[str]:
        """Names of the run folders on the volume."""
        return sorted(self._text("sh", "-c", f"ls -1 {RUNS} 2>/dev/null || true").split())

    def bring(self, run: str, to: Path) -> Path:
        """Copy one run folder whole into the directory `to`, then take it off the volume; PlatformError if not."""
        if (to / run).exists():
            raise PlatformError(f"{to / run} is there already")
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to, prefix=".fetch-") as draft:
            archive = Path(draft) / "run.tar.gz"
            with archive.open("wb") as file:
                execution.execute(self._api, self._place, ["tar", "-C", RUNS, "-czf", "-", "--", run], file)
            with tarfile.open(archive) as packed:
                packed.extractall(draft, filter="data")
            shutil.move(Path(draft) / run, to / run)
        self._text("rm", "-rf", "--", f"{RUNS}/{run}")
        return to / run

    def _text(self, *command: str) -> str:
        return execution.output_of(self._api, self._place, list(command), within=execution.ENDS_WITHIN_S)


@contextmanager
def reader(api: Api, image: str) -> Iterator[Reader]:
    """A reader while the block lasts; PlatformError when its pod does not come up."""
    name = f"chaosblink-reader-{secrets.token_hex(3)}"
    objects, applier = render("reader", name=name, image=image), Applier(api)
    applier.apply(objects)
    try:
        _until_ready(api, name)
        yield Reader(api, name)
    finally:
        applier.remove(objects)


def _until_ready(api: Api, name: str) -> None:
    def ready() -> bool:
        return bool(api.pod(names.NAMESPACE, name)["status"].get("phase") == "Running")

    try:
        until(ready, READY_WITHIN_S, f"{name} runs", every=0.3)
    except Timeout as timeout:
        raise PlatformError(f"run folders cannot be brought back: {timeout}") from None
