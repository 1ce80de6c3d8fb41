"""What the issuer says about itself: its endpoints and abilities, and its public keys."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from zitadel_standin import keys
from zitadel_standin.requests import node_of

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""RFC 7523 section 2.1; ZITADEL calls it JWT profile."""


async def configuration(request: Request) -> JSONResponse:
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
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", JWT_BEARER],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [keys.ALGORITHM],
            "token_endpoint_auth_methods_supported": [
                *("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
            ],
            "token_endpoint_auth_signing_alg_values_supported": [keys.ALGORITHM],
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": [
                *("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
            ],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [
                *("sub", "aud", "exp", "iat", "iss", "auth_time", "nonce", "amr", "azp", "at_hash", "sid", "name"),
                *("given_name", "family_name", "preferred_username", "updated_at", "email", "email_verified"),
            ],
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }
    )


async def published_keys(request: Request) -> JSONResponse:
    """GET /oauth/v2/keys."""
    return JSONResponse(keys.public_set(node_of(request).signing_key))


ROUTES = [
    Route("/.well-known/openid-configuration", configuration, methods=["GET"]),
    Route("/oauth/v2/keys", published_keys, methods=["GET"]),
]
