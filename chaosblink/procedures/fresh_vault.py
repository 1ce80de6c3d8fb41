"""A Vault of the chart's own making, alone in a namespace of its own: fresh, not set up, and gone afterwards."""

from __future__ import annotations

import base64
import copy
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import helm_python as helm
import yaml

from chaosblink.components.vault import HOST
from chaosblink.procedures.kubectl import Kubectl, Where
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Json
from chaosblink.targets.kubernetes.manifests import Applier
from chaosblink.targets.kubernetes.values import merged
from chaosblink.targets.local.layout import CHART
from chaosblink.waiting import Timeout, until

UP_WITHIN_S = 90.0
AUTOMATIC = "VAULT_AUTO_UNSEAL"


@contextmanager
def fresh_vault(api: Api, kubectl: Kubectl, settings: dict[str, Any], unseals_itself: bool) -> Iterator[Where]:
    """Its namespace and pod, as soon as the server answers; PlatformError when it does not.

    Its seal key is the platform's, so that it can read the platform's snapshots; nothing else of it is.
    """
    namespace = f"{names.NAMESPACE}-fresh-{secrets.token_hex(3)}"
    applier, objects = Applier(api), _objects(api, namespace, settings, unseals_itself)
    try:
        applier.apply(objects)
        where = (namespace, "vault-0")
        _until_it_answers(kubectl, where)
        yield where
    finally:
        applier.remove(objects[:1])


def _until_it_answers(kubectl: Kubectl, where: Where) -> None:
    known = len(kubectl.done)

    def answers() -> bool:
        return "Seal Type" in kubectl.tried("exec", "-n", where[0], where[1], "--", "vault", "status").stdout

    try:
        until(answers, UP_WITHIN_S, f"the fresh Vault in {where[0]} answers", every=0.5)
    except Timeout as timeout:
        raise PlatformError(str(timeout)) from None
    finally:
        del kubectl.done[known:]  # asking whether it is there is no part of the procedure


def _objects(api: Api, namespace: str, settings: dict[str, Any], unseals_itself: bool) -> list[Json]:
    """The namespace first: all else goes with it."""
    server, files = _rendered(settings, unseals_itself)
    made: list[Json] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}]
    for name, keys in ((names.SECRETS, ("seal-key",)), ("vault-tls", ("ca.crt", "tls.crt", "tls.key"))):
        held = api.secret("blinkchamber", name)
        data = {key: base64.b64encode(held[key]).decode() for key in keys}
        made.append({"apiVersion": "v1", "kind": "Secret", "metadata": _named(name, namespace), "data": data})
    made.append({**files, "metadata": _named(files["metadata"]["name"], namespace)})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": _named("vault-0", namespace), "spec": _alone(server)}
    return [*made, pod]


def _rendered(settings: dict[str, Any], unseals_itself: bool) -> tuple[Json, Json]:
    """The chart's StatefulSet of one Vault without automatic set-up, and its files."""
    alone = {"server": {"ha": {"replicas": 1}}, "setup": {"enabled": False}}
    chosen = merged(settings, {"vault": {**alone, "env": {AUTOMATIC: "true" if unseals_itself else "false"}}})
    with helm.Chart.load(CHART) as chart:
        texts = chart.render(chosen, name=names.RELEASE, namespace="blinkchamber")
    found = [each for each in yaml.safe_load_all(texts["blinkchamber/templates/vault.yaml"]) if each]
    by_kind = {each["kind"]: each for each in found}
    return by_kind["StatefulSet"], by_kind["ConfigMap"]


def _alone(server: Json) -> Json:
    """The pod's specification without what ties it to its fellows: their addresses, its account, its place."""
    spec: Json = copy.deepcopy(server["spec"]["template"]["spec"])
    for tie in ("affinity", "topologySpreadConstraints", "serviceAccountName"):
        spec.pop(tie, None)
    spec["automountServiceAccountToken"] = False
    spec["volumes"].append({"name": "data", "emptyDir": {}})
    (box,) = spec["containers"]
    told = {"PEERS": "vault-0=$(ADDRESS)", "VAULT_ADDR": "https://$(ADDRESS):8200", "VAULT_TLS_SERVER_NAME": HOST}
    # an address must be named before it is used, and the first two of the list name it
    box["env"] = [one for one in box["env"] if one["name"] not in told]
    box["env"] += [{"name": name, "value": value} for name, value in told.items()]
    return spec


def _named(name: str, namespace: str) -> Json:
    return {"name": name, "namespace": namespace}


def initialise(kubectl: Kubectl, where: Where) -> Json:
    """`vault operator init` on a fresh Vault: its answer as JSON, which nobody may log."""
    found: Json = json.loads(kubectl.inside(where, "vault", "operator", "init", "-format=json"))
    return found
