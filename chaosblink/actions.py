"""Chaos Toolkit actions: put a fault on whoever has a role now, and take it away again."""

from __future__ import annotations

import logging
from typing import Any

from chaoslib.exceptions import ActivityFailed

from chaosblink.faults import FaultError
from chaosblink.faults.batch_in_hand import batch_in_hand
from chaosblink.faults.injection import TTL_S, inject
from chaosblink.faults.undo import rollback
from chaosblink.targets import PlatformError, open_target
from chaosblink.waiting import Timeout

logger = logging.getLogger("chaostoolkit")

__all__ = [
    "drain",
    "injector_down",
    "isolate",
    "kill",
    "kill_mid_batch",
    "node_isolate",
    "node_kill",
    "node_pause",
    "pause",
    "pod_delete",
    "revert",
    "rolling_restart",
    "scale",
    "stop",
    "token_revoke",
]


def kill(victim: str, ttl: float = TTL_S, stays_down: bool = False) -> dict[str, Any]:
    """Kill every process of the instance `victim` names (`postgresql/primary`, `redis/master@2`) with SIGKILL at once.

    Returns the effect: id, victims, t0 (time.monotonic_ns() at which the main process was seen gone) and the proof.
    With `stays_down` nothing restarts it until `revert`. After `ttl` seconds, in any case, it is made to run again.
    """
    return _inject("kill", victim, ttl, stays_down=stays_down)


def kill_mid_batch(victim: str = "eventrelay/consumer", ttl: float = TTL_S) -> dict[str, Any]:
    """Kill a consumer of events that has a batch in hand whose work is begun and not committed; as `kill` otherwise."""
    try:
        with batch_in_hand(open_target()):
            return _inject("kill", victim, ttl)
    except (PlatformError, Timeout) as error:
        raise ActivityFailed(str(error)) from None


def stop(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Shut the instance `victim` names down in order and keep it down until `revert`, at most `ttl` seconds."""
    return _inject("stop", victim, ttl)


def pause(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Freeze every process of the instance `victim` names until `revert`, at most `ttl` seconds."""
    return _inject("pause", victim, ttl)


def isolate(
    victim: str, ttl: float = TTL_S, inbound: bool = True, outbound: bool = True, clients: bool = True
) -> dict[str, Any]:
    """Cut the instance `victim` names off from all others until `revert`, at most `ttl` seconds.

    With `inbound` or `outbound` false the cut is one-way; with `clients` false the run's own clients still reach it.
    """
    return _inject("isolate", victim, ttl, inbound=inbound, outbound=outbound, clients=clients)


def node_kill(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Kill the whole node under the instance `victim` names, or the `control-plane`, as when its machine lost power.

    It stays down until `revert`, at most `ttl` seconds. Needs the driver on a kind cluster's host; every instance on
    the node is a victim. Refused for the node that carries the suite.
    """
    return _inject("node-kill", victim, ttl)


def node_pause(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Freeze the whole node under the instance `victim` names until `revert`; as `node_kill` otherwise."""
    return _inject("node-pause", victim, ttl)


def node_isolate(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Cut the whole node under the instance `victim` names off until `revert`; instances on it reach each other."""
    return _inject("node-isolate", victim, ttl)


def pod_delete(victim: str, ttl: float = TTL_S, force: bool = False) -> dict[str, Any]:
    """Delete the pod of the instance `victim` names through the cluster's API; with `force` without a grace period.

    Its controller makes another pod by itself.
    """
    return _inject("pod-delete", victim, ttl, force=force)


def rolling_restart(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Have the cluster replace every pod of the workloads of `victim` (`redis/*`), one after the other, and wait."""
    return _inject("rolling-restart", victim, ttl)


def scale(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Let the Deployment of `victim` (`identity/*`) have one pod more, until `revert` lets it have as many as before.

    Returns once the new pod is ready beside all that were there.
    """
    return _inject("scale", victim, ttl)


def injector_down(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Take the Vault Agent Injector away, then delete the identity pod that `victim` names, until `revert`.

    Returns once the API has refused to make another pod, or has made one without its secrets.
    """
    return _inject("injector-down", victim, ttl)


def token_revoke(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Delete the service account of `victim` (`identity/*`) and make it again: no token of its pods is good any more.

    Returns once Vault, which let each in before, refuses it. `revert` replaces every pod that holds such a token.
    """
    return _inject("token-revoke", victim, ttl)


def drain(victim: str, ttl: float = TTL_S) -> dict[str, Any]:
    """Cordon the node of the instance `victim` names and evict the platform's pods there, until `revert`.

    Disruption budgets are respected. `vault/* without pgpool/*, edge/*`: a node of a Vault server that carries neither.
    """
    return _inject("drain", victim, ttl)


def revert() -> list[str]:
    """Undo every fault that is still open on the platform and prove it; one line each. Fails if anything is left."""
    try:
        done = rollback(open_target())
    except (FaultError, PlatformError) as error:
        raise ActivityFailed(str(error)) from None
    for line in done:
        logger.info(line)
    return done


def _inject(fault: str, victim: str, ttl: float, **arguments: Any) -> dict[str, Any]:
    try:
        effect = inject(open_target(), fault, victim, ttl=float(ttl), **arguments).report()
    except (FaultError, PlatformError) as error:
        raise ActivityFailed(str(error)) from None
    logger.info(f"{fault}: {', '.join(effect['victims'])} ({victim}), undone at the latest in {ttl:g} s")
    return effect
