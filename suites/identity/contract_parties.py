"""Who logs in at an issuer that speaks ZITADEL's contract: the official SDK (zitadel-client) and Authlib.

Nothing here knows whether the issuer is ZITADEL or its stand-in. All it needs is the issuer's address, the token of its
login client (a user who may do everything), and an application for people (public) and one for APIs (with a secret).
"""

from __future__ import annotations

import secrets
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import zitadel_client as sdk
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

CLIENT = "blinkchamber-login"
API_CLIENT = "blinkchamber-api"
CALLBACK = "https://app.blinkchamber.test/callback"
HOME = "https://app.blinkchamber.test/"
SCOPE = "openid profile email offline_access"
API_AUDIENCE = "urn:zitadel:iam:org:project:id:zitadel:aud"


@dataclass(frozen=True)
class Person:
    """Somebody who has a password."""

    user_id: str
    login_name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Issuer:
    """Where the contract is spoken; `ca_file` is the CA of its certificate, None for the system's or plain HTTP."""

    url: str
    token: str = field(repr=False)
    api_secret: str = field(repr=False)
    ca_file: str | None = None

    @property
    def transport(self) -> sdk.TransportOptions:
        """How SDK and Authlib connect."""
        return sdk.TransportOptions(ca_cert_path=self.ca_file)

    @cached_property
    def sdk(self) -> sdk.Zitadel:
        """The official SDK as the login client."""
        return sdk.Zitadel.with_access_token(self.url, self.token, transport_options=self.transport)

    @cached_property
    def http(self) -> httpx.Client:
        """A plain client, for what no library would send."""
        trusted = ssl.create_default_context(cafile=self.ca_file)
        return httpx.Client(base_url=self.url, verify=trusted, timeout=10)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The issuer's own description of itself."""
        return dict(self.http.get("/.well-known/openid-configuration").raise_for_status().json())

    @property
    def service(self) -> dict[str, str]:
        """The header of a call as the login client."""
        return {"authorization": f"Bearer {self.token}"}

    def party(self, client_id: str = CLIENT, secret: Any = None, scope: str = SCOPE, **more: Any) -> Any:
        """Authlib's client of this issuer, a relying party."""
        session = OAuth2Session(client_id, secret, scope=scope, redirect_uri=CALLBACK, **more)
        session.metadata.update(self.metadata)
        session.verify = self.ca_file or True
        return session

    def introspect(self, token: str) -> dict[str, Any]:
        """What the API application is told about a token."""
        answer = self.party(API_CLIENT, self.api_secret).introspect_token(
            self.metadata["introspection_endpoint"], token=token
        )
        return dict(answer.json())

    def userinfo(self, token: str) -> httpx.Response:
        """What an application is told about the user of its access token."""
        return self.http.get("/oidc/v1/userinfo", headers={"authorization": f"Bearer {token}"})

    def add_person(self) -> Person:
        """A new person, added through the SDK."""
        name, password = f"person-{secrets.token_hex(6)}@blinkchamber.test", f"Aa1!{secrets.token_hex(12)}"
        request = sdk.UserServiceAddHumanUserRequest(
            username=name,
            profile=sdk.UserServiceSetHumanProfile(given_name="Ada", family_name="Lovelace"),
            email=sdk.UserServiceSetHumanEmail(email=name, is_verified=True),
            password=sdk.UserServicePassword(password=password),
        )
        return Person(self.sdk.users.add_human_user(request).user_id, name, password)

    def remove_user(self, user_id: str) -> None:
        """Remove a person or a machine."""
        self.sdk.users.delete_user(sdk.UserServiceDeleteUserRequest(user_id=user_id))


@dataclass
class Login:
    """A login in the making: Authlib is the application, the SDK is the login page."""

    issuer: Issuer
    scope: str = SCOPE
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = ""
    request_id: str = ""
    session_id: str = ""
    session_token: str = ""
    callback: str = ""

    @cached_property
    def party(self) -> Any:
        """The application."""
        return self.issuer.party(scope=self.scope, code_challenge_method="S256")

    def authorize(self, **more: str) -> None:
        """The browser is sent to the issuer, which sends it to the login page with an auth request."""
        url, self.state = self.party.create_authorization_url(
            self.issuer.metadata["authorization_endpoint"], code_verifier=self.verifier, nonce=self.nonce, **more
        )
        answer = self.issuer.http.get(url, headers={"x-zitadel-login-client": "conformance"})
        assert answer.status_code == 302, answer.text
        self.request_id = parse_qs(urlsplit(answer.headers["location"]).query)["authRequest"][0]

    def identify(self, login_name: str, **more: Any) -> None:
        """The login page starts a session for the user."""
        user = sdk.SessionServiceCheckUser(login_name=login_name)
        request = sdk.SessionServiceCreateSessionRequest(checks=sdk.SessionServiceChecks(user=user), **more)
        answer = self.issuer.sdk.sessions.create_session(request)
        self.session_id, self.session_token = answer.session_id, answer.session_token

    def prove(self, password: str) -> None:
        """The login page has the password checked."""
        check = sdk.SessionServiceChecks(password=sdk.SessionServiceCheckPassword(password=password))
        request = sdk.SessionServiceSetSessionRequest(session_id=self.session_id, checks=check)
        self.session_token = self.issuer.sdk.sessions.set_session(request).session_token

    def finish(self) -> None:
        """The login page hands the session over and learns where to send the browser."""
        session = sdk.OIDCServiceSession(session_id=self.session_id, session_token=self.session_token)
        request = sdk.OIDCServiceCreateCallbackRequest(auth_request_id=self.request_id, session=session)
        self.callback = self.issuer.sdk.oidc.create_callback(request).callback_url

    def fetch(self, **changed: str) -> dict[str, Any]:
        """The application exchanges the code; Authlib checks the state and raises OAuthError for a refusal."""
        given = {"code_verifier": self.verifier, "state": self.state} | changed
        return dict(self.party.fetch_token(authorization_response=self.callback, **given))

    def ready(self, person: Person) -> Login:
        """All steps up to the code."""
        self.authorize()
        self.identify(person.login_name)
        self.prove(person.password)
        self.finish()
        return self

    def claims(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """The ID token's claims, verified as OpenID Connect Core section 3.1.3.7 demands, by Authlib."""
        keys = KeySet.import_key_set(self.issuer.http.get(self.issuer.metadata["jwks_uri"]).json())
        token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
        options = {
            "iss": {"essential": True, "value": self.issuer.metadata["issuer"]},
            "aud": {"essential": True, "value": CLIENT},
        }
        params = {"nonce": self.nonce, "client_id": CLIENT, "access_token": tokens["access_token"]}
        claims = CodeIDToken(token.claims, token.header, options, params)
        claims.validate()
        return dict(claims)


def tokens_of(issuer: Issuer, person: Person, scope: str = SCOPE) -> dict[str, Any]:
    """A whole login; the tokens."""
    return Login(issuer, scope).ready(person).fetch()
