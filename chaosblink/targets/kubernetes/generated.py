"""Secrets and certificates of a release: made once before the chart is installed, kept by every later installation."""

from __future__ import annotations

import base64
import datetime
import tempfile
from pathlib import Path
from typing import Any

from cryptography import x509
from kubernetes.client.exceptions import ApiException

from chaosblink.targets.kubernetes.cluster import TIMEOUT_S, Cluster, not_found
from chaosblink.targets.local import secret_files
from chaosblink.targets.local.certificates import Authority
from chaosblink.targets.local.layout import IDENTITY_HOST, VAULT_HOST

SECRET = "blinkchamber-secrets"
CA = "blinkchamber-ca"
VAULT_INIT = "vault-init"
"""Where the Job vault-setup keeps the recovery shares; made empty here, since the Job may only change it."""

HOLDERS: dict[str, tuple[str, ...]] = {
    "blinkchamber": (
        "seal-key",
        "zitadel-password",
        "redis-password",
        "masterkey",
        "login-client-token",
        "user-password",
    ),
    "database": (
        "postgres-password",
        "repmgr-password",
        "zitadel-password",
        "chaos-password",
        "pgpool-password",
        "redis-password",
    ),
    # the event relay's; the injector brings what identity needs from Vault
    "identity": ("zitadel-password", "chaos-password", "redis-password"),
    "ingress": ("redis-password",),
    "chaosblink": (
        "postgres-password",
        "chaos-password",
        "redis-password",
        "zitadel-password",
        "user-password",
        "login-client-token",
    ),
}
"""Namespace -> the secrets its pods mount, and no others. The suite's login to Vault is added by vault-setup."""

LIFETIME = datetime.timedelta(days=397)
RENEW_BEFORE = datetime.timedelta(days=30)

CERTIFICATES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "blinkchamber",
        "vault-tls",
        (
            VAULT_HOST,
            "*.vault-internal.blinkchamber.svc.cluster.local",
            "vault.blinkchamber.svc.cluster.local",
            "vault.blinkchamber.svc",
        ),
    ),
    ("blinkchamber", "injector-tls", ("vault-agent-injector-svc.blinkchamber.svc",)),
    ("ingress", "edge-tls", (IDENTITY_HOST, VAULT_HOST, "edge.ingress.svc.cluster.local", "edge.ingress.svc")),
)
"""Namespace, Secret and the names in the certificate. Pods have no address that could stand in one."""


def ensure_secrets(cluster: Cluster) -> int:
    """Give every namespace its secrets; what exists anywhere keeps its value. Returns how many were made anew."""
    held = {namespace: _secret(cluster, namespace, SECRET) for namespace in HOLDERS}
    known: dict[str, str] = {}
    for data in held.values():
        known |= data or {}
    fresh = _fresh()
    made = 0
    for namespace, names in HOLDERS.items():
        missing = {name: known.setdefault(name, fresh[name]) for name in names if name not in (held[namespace] or {})}
        made += len(missing)
        if missing or (names and held[namespace] is None):
            _put_secret(cluster, namespace, SECRET, missing, held[namespace] is None)
    if _secret(cluster, "blinkchamber", VAULT_INIT) is None:
        _put_secret(cluster, "blinkchamber", VAULT_INIT, {}, True)
    return made


def ensure_certificates(cluster: Cluster) -> tuple[str, bool]:
    """The CA (PEM) and whether all certificates were made anew.

    Its key is never kept, so they are made together: when one is missing, or has fewer than 30 days left.
    """
    authority = _authority_in_use(cluster)
    if authority and all(_secret(cluster, namespace, name) for namespace, name, _ in CERTIFICATES):
        return authority, False
    made = Authority("blinkchamber", LIFETIME)
    for namespace, name, names in CERTIFICATES:
        data = _issue(made, list(names))
        _put_secret(cluster, namespace, name, data, _secret(cluster, namespace, name) is None, "kubernetes.io/tls")
    pem = made.certificate().decode()
    for namespace in HOLDERS:
        _put_ca(cluster, namespace, pem)
    return pem, True


def _authority_in_use(cluster: Cluster) -> str | None:
    found = {_ca(cluster, namespace) for namespace in HOLDERS}
    if len(found) != 1 or None in found:
        return None
    pem = found.pop() or ""
    left = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return pem if left > RENEW_BEFORE else None


def _issue(authority: Authority, names: list[str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="chaosblink-") as place:
        authority.issue(Path(place), ["127.0.0.1"], names)
        return {name: _encoded((Path(place) / name).read_bytes()) for name in ("ca.crt", "tls.crt", "tls.key")}


def _fresh() -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="chaosblink-") as place:
        secret_files.create(Path(place))
        return {path.name: _encoded(path.read_bytes()) for path in Path(place).iterdir()}


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _secret(cluster: Cluster, namespace: str, name: str) -> dict[str, str] | None:
    """A Secret's data as the API writes it, in base64; None when there is no such Secret."""
    try:
        answer: Any = cluster.core.read_namespaced_secret(name, namespace, _request_timeout=TIMEOUT_S)
    except ApiException as error:
        if not_found(error):
            return None
        raise
    return dict(answer.data or {})


def _put_secret(
    cluster: Cluster, namespace: str, name: str, data: dict[str, str], new: bool, kind: str = "Opaque"
) -> None:
    body: Any = {"metadata": _metadata(name), "data": data}
    if new:
        body["type"] = kind
        cluster.core.create_namespaced_secret(namespace, body, _request_timeout=TIMEOUT_S)
    else:
        cluster.core.patch_namespaced_secret(name, namespace, body, _request_timeout=TIMEOUT_S)


def _ca(cluster: Cluster, namespace: str) -> str | None:
    try:
        answer = cluster.core.read_namespaced_config_map(CA, namespace, _request_timeout=TIMEOUT_S)
    except ApiException as error:
        if not_found(error):
            return None
        raise
    return (answer.data or {}).get("ca.crt")


def _put_ca(cluster: Cluster, namespace: str, pem: str) -> None:
    body: Any = {"metadata": _metadata(CA), "data": {"ca.crt": pem}}
    if _ca(cluster, namespace) is None:
        cluster.core.create_namespaced_config_map(namespace, body, _request_timeout=TIMEOUT_S)
    else:
        cluster.core.patch_namespaced_config_map(CA, namespace, body, _request_timeout=TIMEOUT_S)


def _metadata(name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "blinkchamber-platform", "app.kubernetes.io/managed-by": "chaosblink"}
    return {"name": name, "labels": labels}
