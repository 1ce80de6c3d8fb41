"""OAuth clients: applications (public or with a secret) and machine users, and how each proves what it is."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.requests import Request

from zitadel_standin import machines, metrics
from zitadel_standin.errors import OAuthError
from zitadel_standin.events import Event
from zitadel_standin.names import API_CLIENT
from zitadel_standin.node import Node
from zitadel_standin.requests import client_of, node_of

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""

_KNOWN = "SELECT id FROM identity.clients WHERE id = %(id)s"


async def require_known(node: Node, client_id: str) -> None:
    """OAuthError unless an application of this id is registered."""
    if await node.database.one(_KNOWN, {"id": client_id}) is None:
        raise unknown()


async def require_api(request: Request, fields: dict[str, str]) -> None:
    """OAuthError unless the request carries the API application's id and secret."""
    client_id, secret = client_of(request, fields)
    expected = node_of(request).settings.api_client_secret
    if not hmac.compare_digest(secret.encode(), expected.encode()) or client_id != API_CLIENT:
        raise unknown()


async def machine(request: Request, fields: dict[str, str]) -> tuple[dict[str, Any], list[Event]]:
    """The machine user that proves itself by secret or by private_key_jwt, and the events that tell it; OAuthError."""
    node = node_of(request)
    client_id, secret = client_of(request, fields)
    if "client_assertion" not in fields:
        return await machines.by_secret(node, client_id, secret)
    if secret:
        raise OAuthError("invalid_request", "more than one way of client authentication")
    if fields.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError("invalid_client", "client_assertion_type is not supported", 401)
    user = await machines.by_assertion(node, fields["client_assertion"])
    if user is None or client_id not in ("", user["id"], user["login_name"]):
        raise unknown()
    return user, []


async def any_of(request: Request, fields: dict[str, str]) -> str:
    """The id of whatever client calls: a public application by its id alone, others with their proof; OAuthError."""
    client_id, _ = client_of(request, fields)
    if client_id == API_CLIENT:
        await require_api(request, fields)
        return client_id
    if "client_assertion" not in fields and await node_of(request).database.one(_KNOWN, {"id": client_id}):
        return client_id
    user, _ = await machine(request, fields)
    return str(user["login_name"])


def unknown() -> OAuthError:
    """The refusal of a client that is unknown or did not prove itself; it does not say which."""
    metrics.AUTH_FAILURES.labels("client").inc()
    return OAuthError("invalid_client", "unknown client or wrong credentials", 401)
