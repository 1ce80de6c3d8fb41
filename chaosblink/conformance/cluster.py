"""A cluster's API as conformance tests ask it: as the run's own account or as another one, whatever it answers."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from chaosblink.targets import PlatformError, Target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Json
from chaosblink.targets.kubernetes.target import KubernetesTarget

WITHIN_S = 15.0
NAME = "app.kubernetes.io/name"


def of(target: Target) -> KubernetesTarget:
    """The target as one in a cluster; PlatformError when it is none."""
    if not isinstance(target, KubernetesTarget):
        raise PlatformError(f"platform {target.name!r} is in no cluster")
    return target


@contextmanager
def asking(target: Target, token: str = "") -> Iterator[httpx.Client]:
    """A client of the cluster's API with the run's own rights, or with those of a token.

    It never raises for a status: what an account may not do answers 403.
    """
    configuration = of(target).api.configuration
    own = configuration.auth_settings().get("BearerToken", {}).get("value", "")
    with httpx.Client(
        base_url=configuration.host,
        verify=ssl.create_default_context(cafile=configuration.ssl_ca_cert),
        headers={"Authorization": f"Bearer {token}" if token else str(own)},
        timeout=WITHIN_S,
        trust_env=False,
    ) as client:
        yield client


def listed(target: Target, path: str, namespaces: tuple[str, ...] = names.PLATFORM_NAMESPACES) -> list[Json]:
    """Every object of a kind in the platform's namespaces: `apis/policy/v1`, `poddisruptionbudgets` joined by a colon.

    PlatformError when a list is refused.
    """
    version, _, kind = path.partition(":")
    found: list[Json] = []
    with asking(target) as client:
        for namespace in namespaces:
            answer = client.get(f"/{version}/namespaces/{namespace}/{kind}")
            if answer.status_code != 200:
                raise PlatformError(f"listing {kind} in namespace {namespace} was answered {answer.status_code}")
            found += answer.json()["items"]
    return found


def pods(target: Target) -> list[Json]:
    """Every pod of the platform, those of Jobs included; the suite's own stranger is none of them."""
    found = listed(target, "api/v1:pods")
    return [pod for pod in found if pod["metadata"]["name"] != names.STRANGER]


def serving(target: Target) -> list[Json]:
    """The pods that serve: none of a Job, none that is over."""
    return [pod for pod in pods(target) if pod["status"].get("phase") == "Running" and _lasting(pod)]


def _lasting(pod: Json) -> bool:
    owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}
    return bool(owners & {"StatefulSet", "ReplicaSet"})


def called(pod: Json) -> str:
    """`namespace/name`."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def containers(pod: Json) -> list[Json]:
    """Every container of a pod, init containers first."""
    spec: dict[str, Any] = pod["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]
