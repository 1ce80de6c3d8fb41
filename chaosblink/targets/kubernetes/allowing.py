"""`chaosblink allow` and `disallow`: a person lets chaos into a cluster and shuts it out again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from chaosblink.agent import certificates
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Missing
from chaosblink.targets.kubernetes.job import pod_variables
from chaosblink.targets.kubernetes.manifests import Applier, render, secret
from chaosblink.targets.kubernetes.suite_node import nodes_by_use
from chaosblink.waiting import Timeout, until

Progress = Callable[[str], None]
AGENTS_WITHIN_S = 180.0


def allow(api: Api, image: str, options: str, nightly: str, progress: Progress) -> None:
    """Label the platform's namespaces, install accounts, roles and agents, and return when every agent is ready.

    `nightly` is a cron schedule, empty for none. Certificates are made anew each time: what ran before cannot go on.
    """
    _, nodes = nodes_by_use(api)
    for namespace in names.PLATFORM_NAMESPACES:
        _label(api, namespace, names.ALLOWED)
    agents, runs = certificates.issue()
    certificate = hashlib.sha256(agents["tls.crt"]).hexdigest()[:16]
    made = render("suite", image=image, certificate=certificate, nodes=nodes)
    applier = Applier(api)
    applier.apply(made[:1])  # the namespace, before what is in it
    applier.apply([secret(names.AGENT_TLS, agents), secret(names.RUN_TLS, runs), *made[1:]])
    if nightly:
        applier.apply(render("nightly", schedule=nightly, **pod_variables(api, image, ["run"], options, "nightly")))
    until_agents_are_ready(api)
    progress(f"chaos is allowed in cluster {api.cluster}: {', '.join(names.PLATFORM_NAMESPACES)}; agents are ready")


def disallow(api: Api, progress: Progress) -> None:
    """Take agents, accounts, roles and labels away; agents undo what is open first. The runs' volume stays."""
    made = render("suite", image="none", certificate="none", nodes=["none"])
    made = [each for each in made if each["kind"] not in ("Namespace", "PersistentVolumeClaim")]
    made += render("conformance", image="none")  # of a run whose terminal was closed
    made += [secret(names.AGENT_TLS, {}), secret(names.RUN_TLS, {})]
    cron: dict[str, Any] = {"name": "chaosblink-nightly", "namespace": names.NAMESPACE}
    made.append({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": cron})
    agents = [each for each in made if each["kind"] == "DaemonSet"]
    applier = Applier(api)
    applier.remove(agents)
    try:
        until(lambda: not api.pods(names.NAMESPACE, names.AGENT_LABEL), 90, "the agents have ended", every=1.0)
    except Timeout as timeout:
        raise PlatformError(str(timeout)) from None
    applier.remove([each for each in made if each not in agents])
    for namespace in names.PLATFORM_NAMESPACES:
        _label(api, namespace, None)
    progress(f"chaos is not allowed in cluster {api.cluster} any more")


def until_agents_are_ready(api: Api) -> None:
    """Return when every node that should have an agent has one that is ready; PlatformError with what is missing."""

    def ready() -> bool:
        found = api.ask(
            "get the agents' daemonset", api.apps.read_namespaced_daemon_set, "chaosblink-agent", names.NAMESPACE
        )
        status = found.get("status", {})
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(current and wanted and status.get("updatedNumberScheduled") == status.get("numberReady") == wanted)

    try:
        until(ready, AGENTS_WITHIN_S, "every node's agent is ready", every=1.0)
    except Timeout as timeout:
        pods = api.pods(names.NAMESPACE, names.AGENT_LABEL)
        raise PlatformError(f"{timeout}; {'; '.join(why_not_ready(pod) for pod in pods)}") from None


def why_not_ready(pod: dict[str, Any]) -> str:
    """One line on a pod that does not come up."""
    status = pod["status"]
    waits = [box["state"]["waiting"] for box in status.get("containerStatuses") or [] if "waiting" in box["state"]]
    said = [f"{wait.get('reason')} {wait.get('message', '')}".strip() for wait in waits]
    conditions = [c.get("message", "") for c in status.get("conditions") or [] if c["status"] == "False"]
    return f"{pod['metadata']['name']}: {' '.join((said or conditions or [status.get('phase', '')])[0].split())[:200]}"


def _label(api: Api, namespace: str, value: str | None) -> None:
    body = {"metadata": {"labels": {names.LABEL: value}}}
    try:
        api.ask(f"label namespace {namespace}", api.core.patch_namespace, namespace, body)
    except Missing:
        if value is None:
            return
        raise PlatformError(
            f"cluster {api.cluster} has no namespace {namespace}: deploy the platform there first "
            f"(scripts/deploy-umbrella.sh install --context {api.cluster})"
        ) from None
