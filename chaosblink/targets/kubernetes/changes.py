"""What a run changes by the cluster's API: pods deleted or evicted, nodes cordoned, workloads rolled anew or scaled."""

from __future__ import annotations

import datetime

from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Json, Later, Missing

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""What `kubectl rollout restart` writes: to the controllers a changed template, to nobody else anything."""


def pod(api: Api, namespace: str, name: str) -> Json | None:
    """The pod as it is now, None when there is none of this name."""
    try:
        return api.pod(namespace, name)
    except Missing:
        return None


def delete_pod(api: Api, namespace: str, name: str, uid: str, grace_s: int | None = None) -> None:
    """Delete this very pod; `grace_s` None is the pod's own, 0 makes the API forget it at once.

    Missing when it is gone, Conflict when another pod has taken its name.
    """
    body: Json = {"preconditions": {"uid": uid}}
    if grace_s is not None:
        body["gracePeriodSeconds"] = grace_s
    api.ask(f"delete pod {namespace}/{name}", api.core.delete_namespaced_pod, name, namespace, body=body)


def evict(api: Api, namespace: str, name: str, uid: str) -> bool:
    """Evict this very pod; False while a disruption budget does not allow it. Missing when it is gone."""
    body: Json = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": uid}},
    }
    try:
        api.ask(f"evict pod {namespace}/{name}", api.core.create_namespaced_pod_eviction, name, namespace, body)
    except Later:
        return False
    return True


def node(api: Api, name: str) -> Json:
    """A node as it is now."""
    found: Json = api.ask(f"get node {name}", api.core.read_node, name)
    return found


def cordoned(node: Json) -> bool:
    """Whether a node takes no new pods."""
    return bool(node["spec"].get("unschedulable"))


def cordon(api: Api, name: str, on: bool) -> None:
    """Let a node take no new pods, or take them again."""
    body = {"spec": {"unschedulable": on or None}}
    api.ask(f"{'cordon' if on else 'uncordon'} node {name}", api.core.patch_node, name, body)


def workload(api: Api, kind: str, namespace: str, name: str) -> Json:
    """A StatefulSet or Deployment as it is now."""
    calls = {"StatefulSet": api.apps.read_namespaced_stateful_set, "Deployment": api.apps.read_namespaced_deployment}
    found: Json = api.ask(f"get {kind} {namespace}/{name}", calls[kind], name, namespace)
    return found


def restart(api: Api, kind: str, namespace: str, name: str) -> None:
    """Have the workload's controller replace every pod in the order it is made for."""
    calls = {"StatefulSet": api.apps.patch_namespaced_stateful_set, "Deployment": api.apps.patch_namespaced_deployment}
    now = datetime.datetime.now(datetime.UTC).isoformat()
    body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}}
    api.ask(f"restart {kind} {namespace}/{name}", calls[kind], name, namespace, body)


def scale(api: Api, namespace: str, name: str, replicas: int) -> None:
    """Let a Deployment have another number of pods.

    By the subresource, as `kubectl scale`: an upgrade takes a number set this way back by itself (ownership.py), and
    ends in a conflict over one that was written into the Deployment.
    """
    what, call = f"scale Deployment {namespace}/{name}", api.apps.patch_namespaced_deployment_scale
    api.ask(what, call, name, namespace, {"spec": {"replicas": replicas}}, field_manager=names.RUN_ACCOUNT)


def account(api: Api, namespace: str, name: str) -> Json | None:
    """A service account, None when there is none of this name."""
    what = f"get service account {namespace}/{name}"
    try:
        found: Json = api.ask(what, api.core.read_namespaced_service_account, name, namespace)
    except Missing:
        return None
    return found


def made_again(account: Json) -> Json:
    """What has to be applied so that an account which was deleted is there as it was; its UID is another."""
    metadata = {
        key: account["metadata"][key] for key in ("name", "labels", "annotations") if key in account["metadata"]
    }
    kept: Json = {key: account[key] for key in ("automountServiceAccountToken", "imagePullSecrets") if key in account}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, **kept}


def delete_account(api: Api, namespace: str, name: str, uid: str) -> None:
    """Delete this very account: every token that was bound to it is revoked. Missing when it is gone."""
    what, body = f"delete service account {namespace}/{name}", {"preconditions": {"uid": uid}}
    api.ask(what, api.core.delete_namespaced_service_account, name, namespace, body=body)


def apply_account(api: Api, namespace: str, body: Json, rehearse: bool = False) -> None:
    """Make the account what it says here; only ask whether that would be allowed with `rehearse`.

    By server-side apply: an upgrade takes over what was applied by anybody (ownership.py), and ends in a conflict over
    what was created otherwise.
    """
    name = body["metadata"]["name"]
    what, call = f"apply service account {namespace}/{name}", api.core.patch_namespaced_service_account
    apply: Json = {"field_manager": names.RUN_ACCOUNT, "force": True, "_content_type": "application/apply-patch+yaml"}
    apply |= {"dry_run": "All"} if rehearse else {}
    api.ask(what, call, name, namespace, body, **apply)
