"""The requests applications and machines make beside a login, described without any I/O (as a login is)."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from chaosblink.workloads.login import Answer, LoginFailed, Person, Request, Tokens

FORM = "application/x-www-form-urlencoded"
API_CLIENT = "blinkchamber-api"


def refresh(person: Person, tokens: Tokens) -> Request:
    """An application renews its user's tokens."""
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token, "client_id": person.client_id}
    return Request("refresh", "POST", "/oauth/v2/token", {"content-type": FORM}, urlencode(form).encode())


def renewed(answer: Answer, before: Tokens) -> Tokens:
    """The tokens of a renewal; LoginFailed when it gave none, or did not rotate the refresh token."""
    told = _object("refresh", answer)
    access, fresh = told.get("access_token", ""), told.get("refresh_token", "")
    if not access or not fresh:
        raise LoginFailed("refresh:no-tokens")
    if fresh == before.refresh_token:
        raise LoginFailed("refresh:not-rotated")
    return Tokens(access, told.get("id_token", ""), before.subject, fresh)


def introspect(tokens: Tokens, api_secret: str) -> Request:
    """An API asks whose token it was sent."""
    headers = {"authorization": _basic(API_CLIENT, api_secret), "content-type": FORM}
    form = urlencode({"token": tokens.access_token}).encode()
    return Request("introspect", "POST", "/oauth/v2/introspect", headers, form)


def introspected(answer: Answer, tokens: Tokens) -> None:
    """LoginFailed unless the token is active and of whom it was issued to."""
    told = _object("introspect", answer)
    if told.get("active") is not True:
        raise LoginFailed("introspect:inactive")
    if told.get("sub") != tokens.subject:
        raise LoginFailed("introspect:other-subject")


def add_machine(person: Person, name: str) -> Request:
    """A machine user is made, by the API as the login client."""
    body = {"username": name, "machine": {"name": name}}
    return _service(person, "machine-setup", "POST", "/v2/users/new", body)


def add_secret(person: Person, machine_id: str) -> Request:
    """It gets its secret."""
    return _service(person, "machine-setup", "POST", f"/v2/users/{machine_id}/secret", {})


def remove_machine(person: Person, machine_id: str) -> Request:
    """It is removed again."""
    return _service(person, "machine-setup", "DELETE", f"/v2/users/{machine_id}", {})


def machine_login(name: str, secret: str) -> Request:
    """A machine logs in by its secret (client credentials)."""
    headers = {"authorization": _basic(name, secret), "content-type": FORM}
    form = urlencode({"grant_type": "client_credentials", "scope": "profile"}).encode()
    return Request("machine-login", "POST", "/oauth/v2/token", headers, form)


def value(step: str, answer: Answer, name: str) -> str:
    """A field of the answer; LoginFailed when it is not there."""
    found = _object(step, answer).get(name)
    if not found:
        raise LoginFailed(f"{step}:no-{name}")
    return str(found)


def _service(person: Person, step: str, method: str, target: str, body: dict[str, Any]) -> Request:
    headers = {"authorization": f"Bearer {person.login_client_token}", "content-type": "application/json"}
    return Request(step, method, target, headers, json.dumps(body).encode())


def _object(step: str, answer: Answer) -> dict[str, Any]:
    if not 200 <= answer.status < 300:
        raise LoginFailed(f"{step}:{answer.status}")
    try:
        told = json.loads(answer.body)
    except ValueError:
        raise LoginFailed(f"{step}:no-json") from None
    if not isinstance(told, dict):
        raise LoginFailed(f"{step}:no-json")
    return told


def _basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
