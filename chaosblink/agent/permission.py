"""What lets an agent act: the token of the run that holds the cluster, and the label of a pod's namespace."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Any, Protocol

from chaosblink.agent.node import Pod
from chaosblink.agent.token import digest
from chaosblink.faults.effect import FaultError
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.names import ALLOWED, LABEL

ASK_AGAIN_S = 2.0
STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


class Asked(Protocol):
    """What is asked of the cluster's API; each raises PlatformError when it does not answer."""

    def labels(self, namespace: str) -> dict[str, str]:
        """Labels of a namespace."""

    def pod(self, namespace: str, name: str) -> dict[str, Any]:
        """A pod as the API words it."""

    def token_digest(self) -> str:
        """SHA-256 of the present run's token, hexadecimal; empty while there is no run."""


class RunsToken:
    """The token of the run that holds the cluster; while the API is away, the last answer stands."""

    def __init__(self, present: Callable[[], str]) -> None:
        """`present` is the digest of the present run's token, as `Asked.token_digest`."""
        self._present = present
        self._digest, self._asked = "", -ASK_AGAIN_S

    def holds(self, token: str) -> bool:
        """Whether the token is the present run's."""
        if not self._fits(token) or time.monotonic() - self._asked >= ASK_AGAIN_S:
            self._ask()
        return self._fits(token)

    def _fits(self, token: str) -> bool:
        return bool(self._digest) and hmac.compare_digest(digest(token), self._digest)

    def _ask(self) -> None:
        self._asked = time.monotonic()
        try:
            self._digest = self._present()
        except PlatformError:
            return  # the API is away: whoever held the cluster holds it still


class Permission(RunsToken):
    """What an agent may do, by the answers of the API."""

    def __init__(self, api: Asked, node: str) -> None:
        super().__init__(api.token_digest)
        self._api, self._node = api, node

    def pod(self, asked: dict[str, Any]) -> Pod:
        """The pod, made sure of: on this node, with that UID, in a labelled namespace; FaultError otherwise."""
        namespace, name, uid = str(asked["namespace"]), str(asked["name"]), str(asked["uid"])
        try:
            if self._api.labels(namespace).get(LABEL) != ALLOWED:
                raise FaultError(f"namespace {namespace} does not carry {LABEL}={ALLOWED}")
            found = self._api.pod(namespace, name)
        except PlatformError as error:
            raise FaultError(str(error)) from None
        if found["metadata"]["uid"] != uid or found["spec"].get("nodeName") != self._node:
            raise FaultError(f"{namespace}/{name} with UID {uid} is not on {self._node}")
        component = found["metadata"].get("labels", {}).get("app.kubernetes.io/component", "")
        status = found.get("status", {})
        boxes = [box for kind in STATUSES for box in status.get(kind) or []]
        beside = [
            box["containerID"].rsplit("/", 1)[-1]
            for box in boxes
            if box["name"] != component and box.get("containerID")
        ]
        return Pod(name, namespace, component, uid, tuple(beside))
