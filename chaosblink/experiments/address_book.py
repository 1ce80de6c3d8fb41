"""Where the instances are now, as a file the clients follow: a replaced pod has another address or name."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path

from chaosblink.targets import Instance, PlatformError, Target

LOOK_EVERY_S = 1.0


class AddressBook:
    """Writes the present instances to a file whenever they change; use as a context manager.

    Local instances keep their addresses for life: nothing is written then, and `path` is empty.
    """

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self.path = str(folder / "instances.json") if target.kind != "local" else ""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._written: list[Instance] = []

    def __enter__(self) -> AddressBook:
        if self.path:
            self._write(self._target.instances())
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join(10)

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            try:
                self._write(self._target.instances())
            except PlatformError:
                continue  # the last page stands until the API answers again

    def _write(self, instances: list[Instance]) -> None:
        if instances == self._written:
            return
        part = Path(f"{self.path}.part")
        part.write_text(json.dumps([asdict(instance) for instance in instances]), encoding="utf-8")
        part.replace(self.path)
        self._written = instances
