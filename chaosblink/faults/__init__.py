"""Faults: one file each, with three verbs (inject, revert, residue); adding one is adding a file and its name here."""

from __future__ import annotations

import importlib
from typing import Any

from chaosblink.faults.effect import Fault, FaultError
from chaosblink.targets import WHOLE_NODE, Target

NAMES = ("isolate", "kill", "pause", "stop")
OF_NODES = {f"{WHOLE_NODE}{name}": name for name in ("isolate", "kill", "pause")}
"""Faults of whole nodes, and what the driver on the nodes' host calls them."""
OF_CLUSTER = ("drain", "injector-down", "pod-delete", "rolling-restart", "scale", "token-revoke")
"""Faults by a cluster's API; only a cluster has them."""


def of(name: str, target: Target, **arguments: Any) -> Fault:
    """The fault called `name`, ready to be injected into `target`; FaultError for a name or argument it has not."""
    if name not in (*NAMES, *OF_CLUSTER):
        raise FaultError(f"no fault is called {name!r}; there are {', '.join((*NAMES, *OF_CLUSTER))}")
    # imported on demand: the detached reverter sleeps for minutes and should hold little memory meanwhile
    module = importlib.import_module(f"chaosblink.faults.{name.replace('-', '_')}")
    try:
        fault: Fault = getattr(module, name.title().replace("-", ""))(target, **arguments)
    except TypeError as error:
        raise FaultError(f"{name}: {error}") from None
    return fault
