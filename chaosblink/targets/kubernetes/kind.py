"""Kind clusters by the names of their contexts, and where what was built for them lies on their host."""

from __future__ import annotations

import os
from pathlib import Path

from chaosblink.targets import PlatformError

PREFIX = "kind-"


def is_kind(context: str) -> bool:
    """Whether the context is that of a kind cluster, which was made to be broken."""
    return context.startswith(PREFIX)


def cluster_of(context: str) -> str:
    """What kind calls the cluster of a context; PlatformError for a context that is not kind's."""
    if not is_kind(context):
        raise PlatformError(f"{context} is no context of a kind cluster")
    return context.removeprefix(PREFIX)


def kept() -> Path:
    """Where platform/kind keeps what it builds, the registry-free cluster's engine and its nodes' stores included."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chaosblink" / "kind"
    return Path(os.environ.get("CHAOSBLINK_CACHE") or cache)
