"""Who calls the v2 API and what they may do: the login client by its own token, others by access or session token."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request

from zitadel_standin import errors, tokens
from zitadel_standin.errors import ApiError
from zitadel_standin.names import fingerprint
from zitadel_standin.node import Node
from zitadel_standin.requests import bearer, node_of

API_AUDIENCE = "urn:zitadel:iam:org:project:id:zitadel:aud"
"""Scope that puts ZITADEL itself into an access token's audience; without it the token opens no API."""

EVERYTHING = frozenset(
    {
        *("session.read", "session.write", "session.delete", "session.link"),
        *("user.read", "user.write", "user.delete", "iam.member.write", "iam.member.delete"),
    }
)
ROLES: dict[str, frozenset[str]] = {
    "IAM_OWNER": EVERYTHING,
    "IAM_OWNER_VIEWER": frozenset({"user.read", "session.read"}),
    "IAM_LOGIN_CLIENT": frozenset({"session.read", "session.write", "session.delete", "session.link", "user.read"}),
    "IAM_USER_MANAGER": frozenset({"user.read", "user.write", "user.delete", "session.delete"}),
}
"""ZITADEL's names of the roles this stand-in knows, and what of its API each one opens."""

_ROLES_OF_USER = "SELECT id, roles FROM identity.users WHERE id = %(id)s"
_ROLES_OF_SESSION = """
SELECT u.id, u.roles FROM identity.sessions s JOIN identity.users u ON u.id = s.user_id
WHERE s.id = %(id)s AND s.token = %(token)s AND (s.expires_at IS NULL OR s.expires_at > now())
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user who calls the API, with the permissions of their roles."""

    user_id: str
    permissions: frozenset[str] = frozenset()

    def may(self, permission: str, *owners: str | None) -> bool:
        """Whether the caller has the permission, or is one of the owners of what is asked for."""
        return permission in self.permissions or self.user_id in owners

    def require(self, permission: str, *owners: str | None) -> None:
        """ApiError unless the caller `may`."""
        if not self.may(permission, *owners):
            raise ApiError(errors.PERMISSION_DENIED, "No matching permissions found")


LOGIN_CLIENT = Caller("LOGIN", EVERYTHING)
"""The service user of the login page, whose personal access token is a setting of the node."""


async def identify(request: Request) -> Caller:
    """The caller; ApiError when the request carries no token that is good for the API."""
    node = node_of(request)
    expected = f"Bearer {node.settings.login_client_token}"
    if hmac.compare_digest(request.headers.get("authorization", "").encode(), expected.encode()):
        return LOGIN_CLIENT
    token = bearer(request)
    caller = await _by_token(node, token) if token else None
    if caller is None:
        raise ApiError(errors.UNAUTHENTICATED, "auth header missing or token invalid")
    return caller


async def _by_token(node: Node, token: str) -> Caller | None:
    grant = await tokens.look_up(node, token)
    if grant and (grant["kind"] != "access" or API_AUDIENCE not in grant["scope"]):
        return None
    if grant:
        found = await node.database.one(_ROLES_OF_USER, {"id": grant["user_id"]})
    else:
        given = {"id": token.partition(".")[0], "token": fingerprint(token)}
        found = await node.database.one(_ROLES_OF_SESSION, given)
    if found is None:
        return None
    opened = (ROLES.get(role, frozenset()) for role in found["roles"])
    return Caller(found["id"], frozenset().union(*opened))
