"""The v2 API's routes: each handler by REST and by its service's path (Connect, JSON), for a known caller only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from zitadel_standin import administrators, callers, machine_api, oidc_api, session_api, user_api
from zitadel_standin.callers import Caller

Handler = Callable[[Request, Caller], Awaitable[JSONResponse]]

SESSION, USER = "/zitadel.session.v2.SessionService", "/zitadel.user.v2.UserService"
OIDC, PERMISSION = "/zitadel.oidc.v2.OIDCService", "/zitadel.internal_permission.v2.InternalPermissionService"

REST: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v2/sessions", session_api.create_session),
    ("POST", "/v2/sessions/search", session_api.list_sessions),
    ("PATCH", "/v2/sessions/{id}", session_api.set_session),
    ("GET", "/v2/sessions/{id}", session_api.get_session),
    ("DELETE", "/v2/sessions/{id}", session_api.delete_session),
    ("GET", "/v2/oidc/auth_requests/{id}", oidc_api.get_auth_request),
    ("POST", "/v2/oidc/auth_requests/{id}", oidc_api.create_callback),
    ("POST", "/v2/users", user_api.list_users),
    ("POST", "/v2/users/human", user_api.add_human_user),
    ("POST", "/v2/users/new", user_api.create_user),
    ("GET", "/v2/users/{id}", user_api.get_user),
    ("DELETE", "/v2/users/{id}", user_api.delete_user),
    ("POST", "/v2/users/{id}/secret", machine_api.add_secret),
    ("DELETE", "/v2/users/{id}/secret", machine_api.remove_secret),
    ("POST", "/v2/users/{id}/keys", machine_api.add_key),
    ("DELETE", "/v2/users/{id}/keys/{key}", machine_api.remove_key),
)
CONNECT: tuple[tuple[str, Handler], ...] = (
    (f"{SESSION}/CreateSession", session_api.create_session),
    (f"{SESSION}/SetSession", session_api.set_session),
    (f"{SESSION}/GetSession", session_api.get_session),
    (f"{SESSION}/ListSessions", session_api.list_sessions),
    (f"{SESSION}/DeleteSession", session_api.delete_session),
    (f"{OIDC}/GetAuthRequest", oidc_api.get_auth_request),
    (f"{OIDC}/CreateCallback", oidc_api.create_callback),
    (f"{USER}/ListUsers", user_api.list_users),
    (f"{USER}/AddHumanUser", user_api.add_human_user),
    (f"{USER}/CreateUser", user_api.create_user),
    (f"{USER}/GetUserByID", user_api.get_user),
    (f"{USER}/DeleteUser", user_api.delete_user),
    (f"{USER}/AddSecret", machine_api.add_secret),
    (f"{USER}/RemoveSecret", machine_api.remove_secret),
    (f"{USER}/AddKey", machine_api.add_key),
    (f"{USER}/RemoveKey", machine_api.remove_key),
    (f"{PERMISSION}/CreateAdministrator", administrators.create),
    (f"{PERMISSION}/DeleteAdministrator", administrators.delete),
)


def _guarded(path: str, method: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> JSONResponse:
        return await handler(request, await callers.identify(request))

    return Route(path, endpoint, methods=[method])


ROUTES = [_guarded(path, method, handler) for method, path, handler in REST]
ROUTES += [_guarded(path, "POST", handler) for path, handler in CONNECT]
