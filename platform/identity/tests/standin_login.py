"""The whole login, as a relying party (Authlib) and a login page would do it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

CLIENT = "blinkchamber-login"
CALLBACK = "https://app.blinkchamber.test/callback"
ISSUER = "https://identity.blinkchamber.test"


AUTHORIZE = {
    "client_id": CLIENT,
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
    "state": "xyz",
}
"""A good authorization request."""


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {token}"}


@dataclass
class Login:
    """A login in the making; each step may go to another node."""

    service_token: str
    scope: str = "openid profile email offline_access"
    verifier: str = "v" * 43
    nonce: str = "n-0S6_WzA2Mj"
    state: str = ""
    request_id: str = ""
    session_id: str = ""
    session_token: str = ""
    callback: str = ""

    @property
    def service(self) -> dict[str, str]:
        return bearer(self.service_token)

    def authorize(self, client: httpx.Client) -> None:
        party = OAuth2Session(CLIENT, redirect_uri=CALLBACK, scope=self.scope, code_challenge_method="S256")
        url, self.state = party.create_authorization_url(
            "/oauth/v2/authorize", code_verifier=self.verifier, nonce=self.nonce
        )
        answer = client.get(url, headers={"x-zitadel-login-client": "login"})
        assert answer.status_code == 302, answer.text
        self.request_id = parse_qs(urlsplit(answer.headers["location"]).query)["authRequest"][0]

    def identify(self, client: httpx.Client, name: str = "user-0@blinkchamber.test") -> httpx.Response:
        body = {"checks": {"user": {"loginName": name}}}
        answer = client.post("/v2/sessions", json=body, headers=self.service)
        if answer.is_success:
            self.session_id, self.session_token = (answer.json()["sessionId"], answer.json()["sessionToken"])
        return answer

    def prove(self, client: httpx.Client, password: str) -> httpx.Response:
        body = {"checks": {"password": {"password": password}}}
        answer = client.patch(f"/v2/sessions/{self.session_id}", json=body, headers=self.service)
        if answer.is_success:
            self.session_token = answer.json()["sessionToken"]
        return answer

    def finish(self, client: httpx.Client) -> httpx.Response:
        body = {"session": {"sessionId": self.session_id, "sessionToken": self.session_token}}
        answer = client.post(f"/v2/oidc/auth_requests/{self.request_id}", json=body, headers=self.service)
        if answer.is_success:
            self.callback = answer.json()["callbackUrl"]
        return answer

    @property
    def code(self) -> str:
        return parse_qs(urlsplit(self.callback).query)["code"][0]

    def exchange(self, client: httpx.Client, **changed: str) -> httpx.Response:
        fields = {"grant_type": "authorization_code", "code": self.code, "client_id": CLIENT}
        fields |= {"redirect_uri": CALLBACK, "code_verifier": self.verifier} | changed
        return client.post("/oauth/v2/token", data=fields)


def complete(clients: list[httpx.Client], service_token: str, password: str, **options: str) -> dict:
    """Log in, each step at the next client in turn; the token endpoint's answer."""
    login, turn = Login(service_token, **options), 0
    steps = (login.authorize, login.identify, lambda c: login.prove(c, password), login.finish)
    for step in steps:
        answer = step(clients[turn % len(clients)])
        assert answer is None or answer.is_success, answer.text
        turn += 1
    answer = login.exchange(clients[turn % len(clients)])
    assert answer.status_code == 200, answer.text
    return answer.json()


def claims(client: httpx.Client, id_token: str, nonce: str = Login.nonce) -> dict:
    """The ID token's claims, verified against the published keys as a relying party must."""
    keys = KeySet.import_key_set(client.get("/oauth/v2/keys").json())
    decoded = jwt.decode(id_token, keys, algorithms=["RS256"]).claims
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": CLIENT},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(decoded)
    return decoded
