"""The end of a session at the user's wish (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from zitadel_standin import authorization, callers, keys, sessions
from zitadel_standin.errors import ApiError, OAuthError
from zitadel_standin.requests import form, node_of, query

_ADDRESSES = "SELECT post_logout_redirect_uris AS uris FROM identity.clients WHERE id = %(id)s"


async def end_session(request: Request) -> RedirectResponse:
    """GET or POST /oidc/v1/end_session: end the session of the ID token given as hint, then go where the client says.

    Without a hint nobody's session can be told, since this stand-in keeps no cookie; it is then refused.
    """
    node = node_of(request)
    parameters = await form(request) if request.method == "POST" else query(request)
    claims = _hinted(request, parameters.get("id_token_hint", ""))
    client_id, target = str(claims["client_id"]), parameters.get("post_logout_redirect_uri", "")
    if parameters.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_request", "id_token_hint was issued to another client")
    if target:
        client = await node.database.one(_ADDRESSES, {"id": client_id})
        if client is None or target not in client["uris"]:
            raise OAuthError("invalid_request", "post_logout_redirect_uri is not registered for this client")
    with suppress(ApiError):  # Already ended: logging out twice is no error.
        await sessions.terminate(node, callers.LOGIN_CLIENT, str(claims["sid"]))
    target = target or f"{node.settings.external_url}/ui/v2/login/logout/done"
    return RedirectResponse(authorization.with_parameters(target, state=parameters.get("state", "")), 302)


def _hinted(request: Request, hint: str) -> dict[str, Any]:
    """Claims of an ID token of a person's login with us; an expired one is still a good hint."""
    try:
        claims = jwt.decode(hint, node_of(request).signing_key, algorithms=[keys.ALGORITHM]).claims
    except (JoseError, ValueError, RecursionError):
        claims = {}
    if "sid" not in claims:
        raise OAuthError("invalid_request", "id_token_hint is not one of our ID tokens")
    return claims


ROUTES = [Route("/oidc/v1/end_session", end_session, methods=["GET", "POST"])]
