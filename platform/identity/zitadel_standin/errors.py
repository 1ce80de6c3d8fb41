"""Refusals, in the two shapes clients know: ZITADEL's for /v2 and OAuth's (RFC 6749) for /oauth and /oidc."""

from __future__ import annotations

from dataclasses import dataclass

INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED = 3, 5, 6, 7
RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNIMPLEMENTED = 8, 9, 12
INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 13, 14, 16

HTTP_STATUS = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 12: 501, 13: 500, 14: 503, 16: 401}
"""gRPC status to HTTP status, as gRPC-Gateway maps them (google/rpc/code.proto)."""

CONNECT_NAME = {
    3: "invalid_argument",
    5: "not_found",
    6: "already_exists",
    7: "permission_denied",
    8: "resource_exhausted",
    9: "failed_precondition",
    12: "unimplemented",
    13: "internal",
    14: "unavailable",
    16: "unauthenticated",
}
"""gRPC status to the code a Connect error carries (connectrpc.com/docs/protocol)."""


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal of the v2 API; `code` is the gRPC status."""

    code: int
    message: str
    status: int = 0
    """HTTP status where it differs from the one that belongs to `code`."""

    @property
    def http_status(self) -> int:
        """The HTTP status to answer with."""
        return self.status or HTTP_STATUS[self.code]


@dataclass(eq=False)
class OAuthError(Exception):
    """A refusal of an OAuth endpoint; `error` is a code of RFC 6749 section 5.2 or its sisters."""

    error: str
    description: str
    status: int = 400


@dataclass(eq=False)
class RedirectedError(Exception):
    """A refusal told to the client by redirecting to its own, already verified address (RFC 6749 section 4.1.2.1)."""

    redirect_uri: str
    error: str
    description: str
    state: str
