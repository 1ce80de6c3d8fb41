"""Secrets and certificates of a release: made once before the chart is installed, kept by every later installation."""

from __future__ import annotations

import base64
import datetime
import tempfile
from pathlib import Path

from cryptography import x509

from chaosblink.targets.kubernetes import names as known
from chaosblink.targets.kubernetes.api import Api, Json, Missing
from chaosblink.targets.local import secret_files
from chaosblink.targets.local.certificates import Authority
from chaosblink.targets.local.layout import IDENTITY_HOST, VAULT_HOST

SECRET, CA = known.SECRETS, known.CA

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


def ensure_secrets(api: Api) -> int:
    """Give every namespace its secrets; what exists anywhere keeps its value. Returns how many were made anew."""
    held = {namespace: _secret(api, namespace, SECRET) for namespace in HOLDERS}
    values: dict[str, bytes] = {}
    for data in held.values():
        values |= data or {}
    fresh = _fresh()
    made = 0
    for namespace, names in HOLDERS.items():
        missing = {name: values.setdefault(name, fresh[name]) for name in names if name not in (held[namespace] or {})}
        made += len(missing)
        if missing:
            _put_secret(api, namespace, SECRET, missing)
    if _secret(api, *known.VAULT_INIT) is None:  # empty: the Job may only change it
        _put_secret(api, *known.VAULT_INIT, {})
    return made


def ensure_certificates(api: Api) -> tuple[str, bool]:
    """The CA (PEM) and whether all certificates were made anew.

    Its key is never kept, so they are made together: when one is missing, or has fewer than 30 days left.
    """
    authority = _authority_in_use(api)
    if authority and all(_secret(api, namespace, name) for namespace, name, _ in CERTIFICATES):
        return authority, False
    made = Authority("blinkchamber", LIFETIME)
    for namespace, name, names in CERTIFICATES:
        _put_secret(api, namespace, name, _issue(made, list(names)), "kubernetes.io/tls")
    pem = made.certificate().decode()
    for namespace in HOLDERS:
        _put_ca(api, namespace, pem)
    return pem, True


def _authority_in_use(api: Api) -> str | None:
    found = {_ca(api, namespace) for namespace in HOLDERS}
    if len(found) != 1 or None in found:
        return None
    pem = found.pop() or ""
    left = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return pem if left > RENEW_BEFORE else None


def _issue(authority: Authority, names: list[str]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="chaosblink-") as place:
        authority.issue(Path(place), ["127.0.0.1"], names)
        return {name: (Path(place) / name).read_bytes() for name in ("ca.crt", "tls.crt", "tls.key")}


def _fresh() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="chaosblink-") as place:
        secret_files.create(Path(place))
        return {path.name: path.read_bytes() for path in Path(place).iterdir()}


def _secret(api: Api, namespace: str, name: str) -> dict[str, bytes] | None:
    """A Secret's values; None when there is no such Secret."""
    try:
        return api.secret(namespace, name)
    except Missing:
        return None


def _put_secret(api: Api, namespace: str, name: str, values: dict[str, bytes], kind: str = "Opaque") -> None:
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    body: Json = {"metadata": _metadata(name), "data": data}
    if _secret(api, namespace, name) is None:
        body["type"] = kind
        api.ask(f"create secret {namespace}/{name}", api.core.create_namespaced_secret, namespace, body)
    else:
        api.ask(f"update secret {namespace}/{name}", api.core.patch_namespaced_secret, name, namespace, body)


def _ca(api: Api, namespace: str) -> str | None:
    try:
        return api.config_map(namespace, CA).get("ca.crt")
    except Missing:
        return None


def _put_ca(api: Api, namespace: str, pem: str) -> None:
    body: Json = {"metadata": _metadata(CA), "data": {"ca.crt": pem}}
    if _ca(api, namespace) is None:
        api.ask(f"create configmap {namespace}/{CA}", api.core.create_namespaced_config_map, namespace, body)
    else:
        api.ask(f"update configmap {namespace}/{CA}", api.core.patch_namespaced_config_map, CA, namespace, body)


def _metadata(name: str) -> Json:
    labels = dict([known.PART_OF, ("app.kubernetes.io/managed-by", "chaosblink")])
    return {"name": name, "labels": labels}
