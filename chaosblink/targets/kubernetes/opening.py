"""The guard: a cluster is opened to chaos only if it was named and each of its namespaces says so."""

from __future__ import annotations

import os

from chaosblink.targets import CONTEXT, DEFAULT_NAME, TARGET, PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Away, Missing, connect
from chaosblink.targets.kubernetes.target import KubernetesTarget

_opened: dict[str, KubernetesTarget] = {}


def open_cluster(name: str) -> KubernetesTarget:
    """The platform in the cluster that was named; PlatformError when it is not there or does not allow chaos.

    While the API is away, a platform that this process of a run has opened before stays open to it: a fault on the
    control plane must be undone although nobody can be asked.
    """
    try:
        api = connect(name)
        guard(api)
        _opened[name] = KubernetesTarget(api, name, command_options(name))
    except Away:
        if not names.inside() or name not in _opened:
            raise
    return _opened[name]


def guard(api: Api) -> None:
    """PlatformError unless every namespace of the platform is there and carries the label that allows chaos."""
    for namespace in names.PLATFORM_NAMESPACES:
        try:
            labels = api.namespace(namespace)["metadata"].get("labels", {})
        except Missing:
            raise PlatformError(
                f"cluster {api.cluster} has no namespace {namespace}: the platform is not deployed there"
            ) from None
        if labels.get(names.LABEL) != names.ALLOWED:
            raise PlatformError(
                f"namespace {namespace} of cluster {api.cluster} does not allow chaos; "
                f"whoever answers for it can: {names.allow_command(api.cluster)}"
            )


def command_options(name: str) -> str:
    """What a command line says to mean this cluster; in a pod of the suite, as the person said it who started it."""
    if names.inside():
        return os.environ.get("CHAOSBLINK_OPTIONS", "")
    kind = os.environ.get(TARGET, "local")
    said = [f"--target {kind}"]
    if name != DEFAULT_NAME:
        said.append(f"--name {name}")
    if context := os.environ.get(CONTEXT):
        said.append(f"--context {context}")
    return " ".join(said)
