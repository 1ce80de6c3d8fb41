"""The OAuth endpoints: authorize, token, userinfo, introspection, revocation."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from zitadel_standin import authorization, clients, grants, machines, metrics, tokens, users
from zitadel_standin.discovery import JWT_BEARER
from zitadel_standin.errors import OAuthError
from zitadel_standin.requests import bearer, client_of, form, node_of, query, required

NO_STORE = {"cache-control": "no-store"}
"""Required on every answer that carries a token (RFC 6749 section 5.1)."""


async def authorize(request: Request) -> RedirectResponse:
    """GET or POST /oauth/v2/authorize: to the login page of whoever named itself the login client, else to our own."""
    parameters = await form(request) if request.method == "POST" else query(request)
    request_id = await authorization.authorize(node_of(request), parameters)
    page = "/login" if request.headers.get("x-zitadel-login-client") else "/ui/v2/login/login"
    return RedirectResponse(f"{node_of(request).settings.external_url}{page}?authRequest={request_id}", 302)


async def token(request: Request) -> JSONResponse:
    """POST /oauth/v2/token."""
    fields = await form(request)
    grant_type = fields.get("grant_type", "")
    if grant_type == "authorization_code":
        client_id, _ = client_of(request, fields)
        given = [required(fields, name) for name in ("code", "redirect_uri", "code_verifier")]
        answer = await grants.exchange_code(node_of(request), client_id, *given)
    elif grant_type == "refresh_token":
        client_id, _ = client_of(request, fields)
        given = [required(fields, "refresh_token"), fields.get("scope", "")]
        answer = await grants.refresh(node_of(request), client_id, *given)
    elif grant_type in ("client_credentials", JWT_BEARER):
        answer = await _machine(request, fields, grant_type)
    else:
        raise OAuthError("unsupported_grant_type", "this grant_type is not supported")
    return JSONResponse(answer, headers=NO_STORE)


async def userinfo(request: Request) -> JSONResponse:
    """GET or POST /oidc/v1/userinfo."""
    node = node_of(request)
    grant = await tokens.look_up(node, bearer(request))
    user = await users.by_id(node, grant["user_id"]) if grant and grant["kind"] == "access" else None
    if grant is None or user is None or "openid" not in grant["scope"]:
        metrics.AUTH_FAILURES.labels("access_token").inc()
        raise OAuthError("invalid_token", "the access token is unknown or expired", 401)
    return JSONResponse(_claims_of(user, grant["scope"]), headers=NO_STORE)


async def introspect(request: Request) -> JSONResponse:
    """POST /oauth/v2/introspect, for the API client only (RFC 7662); whatever is no live access token is inactive."""
    node, fields = node_of(request), await form(request)
    await clients.require_api(request, fields)
    grant = await tokens.look_up(node, required(fields, "token"))
    user = await users.by_id(node, grant["user_id"]) if grant and grant["kind"] == "access" else None
    if grant is None or user is None:
        return JSONResponse({"active": False}, headers=NO_STORE)
    told = {"active": True, "token_type": "Bearer", "scope": " ".join(grant["scope"]), "client_id": grant["client_id"]}
    told |= {"exp": grant["expires"], "iat": grant["expires"] - tokens.LIFETIMES["access"]}
    told |= {"iss": node.settings.external_url, "aud": [grant["client_id"]], "username": user["login_name"]}
    return JSONResponse(told | _claims_of(user, grant["scope"]), headers=NO_STORE)


async def revoke(request: Request) -> Response:
    """POST /oauth/v2/revoke (RFC 7009)."""
    fields = await form(request)
    client_id = await clients.any_of(request, fields)
    await tokens.revoke(node_of(request), client_id, required(fields, "token"))
    return Response(status_code=200)


async def _machine(request: Request, fields: dict[str, str], grant_type: str) -> dict[str, Any]:
    """Tokens for a machine user: by its secret or private_key_jwt, or by an assertion as the grant itself."""
    node, scope = node_of(request), fields.get("scope", "")
    if grant_type == "client_credentials":
        user, proven = await clients.machine(request, fields)
        return await grants.for_machine(node, user, scope, proven)
    found = await machines.by_assertion(node, required(fields, "assertion"))
    if found is None:
        metrics.AUTH_FAILURES.labels("assertion").inc()
        raise OAuthError("invalid_grant", "the assertion is not one of a known key, or not for us, or not of now")
    return await grants.for_machine(node, found, scope, [])


def _claims_of(user: dict[str, Any], scope: list[str]) -> dict[str, Any]:
    """The claims the scopes open (OpenID Connect Core section 5.4); a machine has a name and no mail address."""
    claims: dict[str, Any] = {"sub": user["id"]}
    if "profile" in scope:
        claims |= {"name": f"{user['given_name']} {user['family_name']}".rstrip()}
        claims |= {"preferred_username": user["login_name"], "updated_at": user["changed_at"]}
    if user["kind"] == "human" and "profile" in scope:
        claims |= {"given_name": user["given_name"], "family_name": user["family_name"]}
    if user["kind"] == "human" and "email" in scope:
        claims |= {"email": user["email"], "email_verified": user["email_verified"]}
    return claims


ROUTES = [
    Route("/oauth/v2/authorize", authorize, methods=["GET", "POST"]),
    Route("/oauth/v2/token", token, methods=["POST"]),
    Route("/oidc/v1/userinfo", userinfo, methods=["GET", "POST"]),
    Route("/oauth/v2/introspect", introspect, methods=["POST"]),
    Route("/oauth/v2/revoke", revoke, methods=["POST"]),
]
