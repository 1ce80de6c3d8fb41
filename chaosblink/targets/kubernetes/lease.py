"""The lease by which two runs exclude each other, and the token that agents take from the holder alone."""

from __future__ import annotations

import base64
import datetime
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaosblink.agent.token import digest
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Conflict, Json, Missing
from chaosblink.targets.local.secret_files import write_private

HELD_S, RENEWED_EVERY_S = 30, 8.0


@contextmanager
def held(api: Api, holder: str) -> Iterator[None]:
    """Hold the cluster's lease; PlatformError when a living run holds it. `holder` is a pod's name or a person's."""
    _take(api, holder)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(api, holder, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join(RENEWED_EVERY_S)
        _write(api, _read(api), "", 1)


def _read(api: Api) -> Json:
    try:
        return api.ask(f"get lease {names.LEASE}", api.leases.read_namespaced_lease, names.LEASE, names.NAMESPACE)
    except Missing:
        raise PlatformError(
            f"cluster {api.cluster} has no lease {names.LEASE}: {names.allow_command(api.cluster)}"
        ) from None


def _take(api: Api, holder: str) -> None:
    lease = _read(api)
    other = lease["spec"].get("holderIdentity") or ""
    taken = PlatformError(f"another run holds the platform in cluster {api.cluster} ({other}); wait for it to end")
    if other and not _over(lease) and _alive(api, other):
        raise taken
    try:
        _write(api, lease, holder, HELD_S)
    except Conflict:
        raise taken from None


def _over(lease: Json) -> bool:
    renewed = lease["spec"].get("renewTime")
    if not renewed:
        return True
    until = datetime.datetime.fromisoformat(renewed) + datetime.timedelta(seconds=lease["spec"]["leaseDurationSeconds"])
    return until < datetime.datetime.now(datetime.UTC)


def _alive(api: Api, holder: str) -> bool:
    """Whether the holder may still be at work: a pod that has ended holds nothing, whatever the lease says."""
    try:
        pod = api.pod(names.NAMESPACE, holder)
    except Missing:
        return not holder.startswith("chaosblink-")  # a person's machine has no pod; only time tells there
    return pod["status"].get("phase") not in ("Succeeded", "Failed")


def _write(api: Api, lease: Json, holder: str, seconds: int) -> None:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease["spec"] = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": now}
    what = f"update lease {names.LEASE}"
    api.ask(what, api.leases.replace_namespaced_lease, names.LEASE, names.NAMESPACE, lease)


def _renew(api: Api, holder: str, over: threading.Event) -> None:
    while not over.wait(RENEWED_EVERY_S):
        try:
            lease = _read(api)
            if lease["spec"].get("holderIdentity") == holder:
                _write(api, lease, holder, HELD_S)
        except PlatformError as error:  # while the API is away nobody else can take it either
            print(f"the lease could not be renewed: {error}", file=sys.stderr)


def publish_token(api: Api, place: Path) -> None:
    """Draw a new token for this run, keep it in `place` (mode 0600) and tell the agents its digest."""
    token = secrets.token_urlsafe(32)
    write_private(place, token.encode())
    _tell(api, digest(token))


def withdraw_token(api: Api, place: Path) -> None:
    """From now on agents take no token."""
    place.unlink(missing_ok=True)
    _tell(api, "")


def _tell(api: Api, text: str) -> None:
    body = {"data": {"digest": base64.b64encode(text.encode()).decode()}}
    what = f"update secret {names.TOKEN}"
    api.ask(what, api.core.patch_namespaced_secret, names.TOKEN, names.NAMESPACE, body)
