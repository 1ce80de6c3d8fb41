"""What the Target interface asks of a platform and nobody who only breaks and mends nodes or pods can answer."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from chaosblink.targets import Instance, PlatformError


class NoPlatform:
    """Those parts of `chaosblink.targets.Target`; each raises PlatformError, but for what has an empty answer."""

    options = ""
    ca_file = Path("/dev/null")

    @property
    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def whereabouts(self, instance: Instance) -> dict[str, str]:  # noqa: ARG002
        """Nothing: CPU is asked for by a verb."""
        return {}

    def endpoint(self, name: str) -> tuple[str, int]:
        """PlatformError: it is no client of the platform."""
        raise _foreign(name)

    def secret(self, name: str) -> str:
        """PlatformError: it has no secret of the platform."""
        raise _foreign(name)

    def secret_file(self, name: str) -> Path:
        """PlatformError: it has no secret of the platform."""
        raise _foreign(name)

    def log(self, instance: Instance, after: float = 0) -> str:  # noqa: ARG002
        """PlatformError: logs are read through the API."""
        raise _foreign(instance.name)

    def log_end(self, instance: Instance) -> float:
        """PlatformError: logs are read through the API."""
        raise _foreign(instance.name)

    def hold(self) -> AbstractContextManager[None]:
        """PlatformError: runs exclude each other by a lease."""
        raise _foreign("lease")


def _foreign(what: str) -> PlatformError:
    return PlatformError(f"an agent knows nothing of {what}")
