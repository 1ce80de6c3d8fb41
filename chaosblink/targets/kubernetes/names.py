"""What the suite's own parts are called in a cluster, and where a pod of the suite finds what was mounted for it."""

from __future__ import annotations

import os
from pathlib import Path

from chaosblink.targets import PlatformError

NAMESPACE = "chaosblink"
PLATFORM_NAMESPACES = ("blinkchamber", "database", "identity", "ingress")
LABEL, ALLOWED = "chaosblink.io/chaos", "allowed"
SUITE_NODE = "chaosblink.io/suite"
RELEASE = "blinkchamber"
PART_OF = ("app.kubernetes.io/part-of", "blinkchamber-platform")
"""The label, and its value, of everything the platform is made of."""

IDENTITY, INJECTOR = "zitadel", "vault-agent-injector"
"""Deployments a run may scale: identity by one pod, the injector to none and back."""

APP_ROLE = "app-role"
"""Whom Vault takes identity's service account for."""

RUN_ACCOUNT, CONFORMANCE_ACCOUNT = "chaosblink-run", "chaosblink-conformance"
STRANGER = "chaosblink-stranger"
"""A pod of namespace `identity` for the time of a conformance run, which no NetworkPolicy allows anything special."""
LEASE = "chaosblink-run"
TOKEN = "chaosblink-run-token"
RUN_TLS, AGENT_TLS = "chaosblink-run-tls", "chaosblink-agent-tls"
AGENT_LABEL = "app.kubernetes.io/name=chaosblink-agent"
SECRETS, CA, VALUES = "blinkchamber-secrets", "blinkchamber-ca", "chaosblink-values"
VOLUME = "chaosblink-runs"
VAULT_INIT = ("blinkchamber", "vault-init")
"""Namespace and name of the Secret in which the Job vault-setup keeps the answer of `operator init`."""

CLUSTER = "CHAOSBLINK_CLUSTER"
"""Environment of a pod of the suite: UID of the namespace kube-system, which names the cluster it was meant for."""
HOST = "CHAOSBLINK_NODE_DRIVER"
"""Environment of a pod of the suite: address of the driver of node faults on its cluster's host; empty without one."""
MOUNTED = Path("/etc/chaosblink")
"""In a pod of the suite: secrets/, ca/, agent/ (TLS of runs), values/."""
KEPT = Path("/var/lib/chaosblink")
"""In a pod of the suite: the volume that outlives it, with state/ and runs/."""


def inside() -> bool:
    """Whether this process lives in a pod of the suite."""
    return CLUSTER in os.environ


def allow_command(cluster: str) -> str:
    """The command that lets chaos into a cluster."""
    return f"chaosblink allow --context {cluster}"


def mounted(*parts: str) -> Path:
    """A file mounted into this pod; PlatformError when it is not there."""
    path = MOUNTED.joinpath(*parts)
    if not path.exists():
        raise PlatformError(f"this pod has no {'/'.join(parts)}: its Secret or ConfigMap lacks it")
    return path
