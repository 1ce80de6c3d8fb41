"""The OAuth and OpenID Connect endpoints."""

from __future__ import annotations

import hmac
from contextlib import suppress
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from zitadel_standin import authorization, keys, sessions, tokens, users
from zitadel_standin.errors import ApiError, OAuthError
from zitadel_standin.requests import bearer, client_of, form, node_of, query
from zitadel_standin.schema import API_CLIENT

NO_STORE = {"cache-control": "no-store"}
"""Required on every answer that carries a token (RFC 6749 section 5.1)."""


async def discovery(request: Request) -> JSONResponse:
    """GET /.well-known/openid-configuration (OpenID Connect Discovery section 3)."""
    issuer = node_of(request).settings.external_url
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/oauth/v2/authorize",
            "token_endpoint": f"{issuer}/oauth/v2/token",
            "introspection_endpoint": f"{issuer}/oauth/v2/introspect",
            "userinfo_endpoint": f"{issuer}/oidc/v1/userinfo",
            "revocation_endpoint": f"{issuer}/oauth/v2/revoke",
            "end_session_endpoint": f"{issuer}/oidc/v1/end_session",
            "jwks_uri": f"{issuer}/oauth/v2/keys",
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [keys.ALGORITHM],
            "token_endpoint_auth_methods_supported": ["none"],
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


async def published_keys(request: Request) -> JSONResponse:
    """GET /oauth/v2/keys."""
    return JSONResponse(keys.public_set(node_of(request).signing_key))


async def authorize(request: Request) -> RedirectResponse:
    """GET or POST /oauth/v2/authorize: to the login page of whoever named itself the login client, else to our own."""
    parameters = await form(request) if request.method == "POST" else query(request)
    request_id = await authorization.authorize(node_of(request), parameters)
    page = "/login" if request.headers.get("x-zitadel-login-client") else "/ui/v2/login/login"
    return RedirectResponse(f"{node_of(request).settings.external_url}{page}?authRequest={request_id}", 302)


async def token(request: Request) -> JSONResponse:
    """POST /oauth/v2/token."""
    fields = await form(request)
    client_id, _ = client_of(request, fields)
    grant_type = fields.get("grant_type", "")
    if grant_type == "authorization_code":
        given = [_required(fields, name) for name in ("code", "redirect_uri", "code_verifier")]
        answer = await tokens.exchange_code(node_of(request), client_id, *given)
    elif grant_type == "refresh_token":
        answer = await tokens.refresh(node_of(request), client_id, _required(fields, "refresh_token"))
    else:
        raise OAuthError("unsupported_grant_type", "authorization_code and refresh_token are supported")
    return JSONResponse(answer, headers=NO_STORE)


async def userinfo(request: Request) -> JSONResponse:
    """GET or POST /oidc/v1/userinfo."""
    node = node_of(request)
    grant = await tokens.look_up(node, bearer(request))
    if grant is None or grant["kind"] != "access":
        raise OAuthError("invalid_token", "the access token is unknown or expired", 401)
    user = await users.by_id(node, grant["user_id"])
    if user is None:
        raise OAuthError("invalid_token", "the user is gone", 401)
    return JSONResponse(_claims_of(user, grant["scope"]), headers=NO_STORE)


async def introspect(request: Request) -> JSONResponse:
    """POST /oauth/v2/introspect, for the API client only (RFC 7662)."""
    node, fields = node_of(request), await form(request)
    client_id, secret = client_of(request, fields)
    known = hmac.compare_digest(secret.encode(), node.settings.api_client_secret.encode())
    if client_id != API_CLIENT or not known:
        raise OAuthError("invalid_client", "unknown client or wrong secret", 401)
    grant = await tokens.look_up(node, _required(fields, "token"))
    user = await users.by_id(node, grant["user_id"]) if grant and grant["kind"] == "access" else None
    if grant is None or user is None:
        return JSONResponse({"active": False}, headers=NO_STORE)
    told = {"active": True, "token_type": "Bearer", "scope": " ".join(grant["scope"]), "client_id": grant["client_id"]}
    told |= {"exp": grant["expires"], "iss": node.settings.external_url, "username": user["login_name"]}
    return JSONResponse(told | _claims_of(user, grant["scope"]), headers=NO_STORE)


async def revoke(request: Request) -> Response:
    """POST /oauth/v2/revoke (RFC 7009)."""
    fields = await form(request)
    client_id, _ = client_of(request, fields)
    await tokens.revoke(node_of(request), client_id, _required(fields, "token"))
    return Response(status_code=200)


async def end_session(request: Request) -> RedirectResponse:
    """GET /oidc/v1/end_session: end the session of the ID token given as hint (OpenID Connect RP-Initiated Logout)."""
    node, parameters = node_of(request), query(request)
    claims = _hinted(request, parameters.get("id_token_hint", ""))
    target = parameters.get("post_logout_redirect_uri", "")
    client = await node.database.one(
        "SELECT post_logout_redirect_uris AS uris FROM identity.clients WHERE id = %(id)s",
        {"id": str(claims["client_id"])},
    )
    if target and (client is None or target not in client["uris"]):
        raise OAuthError("invalid_request", "post_logout_redirect_uri is not registered for this client")
    with suppress(ApiError):  # Already ended: logging out twice is no error.
        await sessions.terminate(node, str(claims["sid"]))
    target = target or f"{node.settings.external_url}/ui/v2/login/logout/done"
    return RedirectResponse(authorization.with_parameters(target, state=parameters.get("state", "")), 302)


def _hinted(request: Request, hint: str) -> dict[str, Any]:
    """Claims of an ID token of ours; an expired one is still a good hint."""
    try:
        return jwt.decode(hint, node_of(request).signing_key, algorithms=[keys.ALGORITHM]).claims
    except (JoseError, ValueError):
        raise OAuthError("invalid_request", "id_token_hint is not one of our ID tokens") from None


def _claims_of(user: dict[str, Any], scope: list[str]) -> dict[str, Any]:
    """The claims the scopes open (OpenID Connect Core section 5.4)."""
    claims: dict[str, Any] = {"sub": user["id"]}
    if "profile" in scope:
        claims |= {"given_name": user["given_name"], "family_name": user["family_name"]}
        claims |= {"name": f"{user['given_name']} {user['family_name']}", "preferred_username": user["login_name"]}
        claims["updated_at"] = user["changed_at"]
    if "email" in scope:
        claims |= {"email": user["email"], "email_verified": True}
    return claims


def _required(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise OAuthError("invalid_request", f"{name} is missing")
    return fields[name]


ROUTES = [
    Route("/.well-known/openid-configuration", discovery, methods=["GET"]),
    Route("/oauth/v2/keys", published_keys, methods=["GET"]),
    Route("/oauth/v2/authorize", authorize, methods=["GET", "POST"]),
    Route("/oauth/v2/token", token, methods=["POST"]),
    Route("/oidc/v1/userinfo", userinfo, methods=["GET", "POST"]),
    Route("/oauth/v2/introspect", introspect, methods=["POST"]),
    Route("/oauth/v2/revoke", revoke, methods=["POST"]),
    Route("/oidc/v1/end_session", end_session, methods=["GET"]),
]
