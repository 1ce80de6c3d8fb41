"""Keeps the driver of node faults beside a run that a person started on a kind cluster's host."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator

import filelock

from chaosblink.agent.client import PORT
from chaosblink.experiments.companion import Companion
from chaosblink.faults.undo import rollback
from chaosblink.node_driver.engine import of_cluster
from chaosblink.node_driver.nodes import alone, open_nodes, state_name, state_of
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.kind import cluster_of, is_kind
from chaosblink.targets.local.target import state_root
from chaosblink.waiting import Timeout, until

READY_S = 60.0
"""Longer than it takes to undo what an earlier run has left, which comes first."""
UNDOING_S = 90.0


@contextlib.contextmanager
def driver(context: str, progress: Callable[[str], None]) -> Iterator[str]:
    """A driver while the block lasts, and the address at which pods reach it; empty (and said) where there is none.

    Whatever it broke is undone before the block is left. PlatformError when it should be there and does not come up.
    """
    if not is_kind(context):
        yield ""
        return
    try:
        engine = of_cluster(cluster_of(context))
    except PlatformError as error:
        progress(f"whole nodes cannot be broken: {error}")
        yield ""
        return
    address = engine.gateway()
    log = state_of(engine.cluster) / "driver.log"
    serving = Companion("node driver", [sys.executable, "-m", "chaosblink.node_driver", context], log)
    try:
        _until_ready(serving, address)
        yield address
    finally:
        serving.stop(UNDOING_S)


def undo_left(context: str) -> list[str]:
    """Undo what a driver that was killed has left on this machine, without asking the cluster; one line each.

    PlatformError when something is left, or a driver is at work.
    """
    if not is_kind(context) or not (state_root() / state_name(cluster_of(context))).exists():
        return []
    try:
        with alone(cluster_of(context)):
            return rollback(open_nodes(cluster_of(context)))
    except filelock.Timeout:
        raise PlatformError(f"a run breaks nodes of {context} from this machine; end it first") from None


def _until_ready(serving: Companion, address: str) -> None:
    def listens() -> bool:
        with contextlib.closing(socket.create_connection((address, PORT), timeout=1)):
            return True

    try:
        until(lambda: serving.ended or listens(), READY_S, f"the node driver listens on {address}", every=0.2)
    except Timeout as timeout:
        raise PlatformError(f"{timeout}; see {serving.log}") from None
    serving.check()
