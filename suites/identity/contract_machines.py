"""What the contract promises machines: client credentials, JWT profile, private_key_jwt, and no more than their roles.

Imported by test modules that bring the fixtures `issuer`, `person` and `machine`.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
import zitadel_client as sdk
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import AssertionSession
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import RSAKey

from suites.identity.contract_parties import API_AUDIENCE, Issuer, Person

SCOPE = f"openid {API_AUDIENCE}"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def add_machine(issuer: Issuer) -> Person:
    """A machine user with a secret in place of a password."""
    name = f"machine-{secrets.token_hex(6)}"
    machine = sdk.UserServiceMachine(name="A machine", description="for the conformance suite")
    user = issuer.sdk.users.create_user(sdk.UserServiceCreateUserRequest(username=name, machine=machine))
    given = issuer.sdk.users.add_secret(sdk.UserServiceAddSecretRequest(user_id=user.id))
    return Person(user.id, name, given.client_secret)


def test_a_machine_logs_in_by_secret_and_may_see_itself_only(issuer: Issuer, machine: Person, person: Person) -> None:
    own = sdk.Zitadel.with_client_credentials(
        issuer.url, machine.login_name, machine.password, transport_options=issuer.transport
    )
    shown = own.users.get_user_by_id(sdk.UserServiceGetUserByIDRequest(user_id=machine.user_id)).user
    assert (shown.machine.name, shown.machine.has_secret) == ("A machine", True)
    with pytest.raises(sdk.ApiError) as refused:
        own.users.get_user_by_id(sdk.UserServiceGetUserByIDRequest(user_id=person.user_id))
    assert (refused.value.code, refused.value.response_body["code"]) == (403, "permission_denied")
    assert [u.user_id for u in own.users.list_users(sdk.UserServiceListUsersRequest()).result] == [machine.user_id]
    with pytest.raises(sdk.ApiError) as refused:
        own.users.add_secret(sdk.UserServiceAddSecretRequest(user_id=person.user_id))
    assert refused.value.code == 403


def test_a_role_opens_what_it_names(issuer: Issuer, machine: Person, person: Person) -> None:
    own = sdk.Zitadel.with_client_credentials(
        issuer.url, machine.login_name, machine.password, transport_options=issuer.transport
    )
    everywhere = sdk.InternalPermissionServiceResourceType(instance=True)
    issuer.sdk.internal_permissions.create_administrator(
        sdk.InternalPermissionServiceCreateAdministratorRequest(
            user_id=machine.user_id, resource=everywhere, roles=["IAM_LOGIN_CLIENT"]
        )
    )
    get = sdk.UserServiceGetUserByIDRequest(user_id=person.user_id)
    assert own.users.get_user_by_id(get).user.user_id == person.user_id
    issuer.sdk.internal_permissions.delete_administrator(
        sdk.InternalPermissionServiceDeleteAdministratorRequest(user_id=machine.user_id, resource=everywhere)
    )
    with pytest.raises(sdk.ApiError) as refused:
        own.users.get_user_by_id(get)
    assert refused.value.code == 403


def test_a_machine_logs_in_by_the_key_file_the_issuer_wrote(issuer: Issuer, machine: Person, tmp_path: Path) -> None:
    added = issuer.sdk.users.add_key(sdk.UserServiceAddKeyRequest(user_id=machine.user_id))
    file = tmp_path / "key.json"
    file.touch(mode=0o600)
    file.write_bytes(base64.b64decode(added.key_content))
    own = sdk.Zitadel.with_private_key(issuer.url, str(file), transport_options=issuer.transport)
    shown = own.users.get_user_by_id(sdk.UserServiceGetUserByIDRequest(user_id=machine.user_id)).user
    assert shown.username == machine.login_name
    issuer.sdk.users.remove_key(sdk.UserServiceRemoveKeyRequest(user_id=machine.user_id, key_id=added.key_id))
    with pytest.raises(sdk.ZitadelError, match="invalid_grant"):
        sdk.Zitadel.with_private_key(issuer.url, str(file), transport_options=issuer.transport).users.list_users(
            sdk.UserServiceListUsersRequest()
        )


def test_authlib_logs_a_machine_in_by_an_assertion_and_by_private_key_jwt(issuer: Issuer, machine: Person) -> None:
    key, key_id = own_key(issuer, machine)
    endpoint = issuer.metadata["token_endpoint"]
    session = AssertionSession(
        endpoint,
        machine.user_id,
        machine.user_id,
        scope="openid profile",
        header={"alg": "RS256", "kid": key_id},
        key=key,
    )
    session.verify = issuer.ca_file or True
    assert session.get(issuer.metadata["userinfo_endpoint"]).json()["preferred_username"] == machine.login_name

    party = issuer.party(machine.user_id, key, "openid", token_endpoint_auth_method="private_key_jwt")
    party.register_client_auth_method(PrivateKeyJWT(endpoint, headers={"kid": key_id}))
    tokens = party.fetch_token(grant_type="client_credentials")
    assert issuer.introspect(tokens["access_token"])["sub"] == machine.user_id
    assert "refresh_token" not in tokens


@pytest.mark.parametrize("way", ["basic", "post"])
def test_authlib_logs_a_machine_in_by_secret(issuer: Issuer, machine: Person, way: str) -> None:
    party = issuer.party(
        machine.login_name, machine.password, "openid", token_endpoint_auth_method=f"client_secret_{way}"
    )
    tokens = party.fetch_token(grant_type="client_credentials")
    assert issuer.introspect(tokens["access_token"])["username"] == machine.login_name
    revoked = party.revoke_token(issuer.metadata["revocation_endpoint"], token=tokens["access_token"])
    assert revoked.status_code == 200
    assert issuer.introspect(tokens["access_token"]) == {"active": False}


def test_a_secret_that_was_replaced_or_removed_opens_nothing(issuer: Issuer, machine: Person) -> None:
    old = issuer.party(machine.login_name, machine.password, "openid")
    fresh = issuer.sdk.users.add_secret(sdk.UserServiceAddSecretRequest(user_id=machine.user_id)).client_secret
    with pytest.raises(OAuthError, match="invalid_client"):
        old.fetch_token(grant_type="client_credentials")
    new = issuer.party(machine.login_name, fresh, "openid")
    assert new.fetch_token(grant_type="client_credentials")["token_type"] == "Bearer"
    issuer.sdk.users.remove_secret(sdk.UserServiceRemoveSecretRequest(user_id=machine.user_id))
    with pytest.raises(OAuthError, match="invalid_client"):
        new.fetch_token(grant_type="client_credentials")


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "https://elsewhere.test"},
        {"aud": None},
        {"sub": "somebody"},
        {"iss": "somebody"},
        {"exp": 1},
        {"exp": None},
        {"iat": 1},
        {"iat": 2**33},
        {"iat": "now"},
        {"kid": "0"},
        {"kid": 7},
        {"alg": "HS256"},
        {"alg": "none"},
        {"key": "other"},
    ],
    ids=str,
)
def test_a_wrong_assertion_is_refused(issuer: Issuer, machine: Person, wrong: dict[str, Any]) -> None:
    key, key_id = own_key(issuer, machine)
    assertion = signed(issuer, machine, key, key_id, wrong)
    answer = issuer.http.post("/oauth/v2/token", data={"grant_type": JWT_BEARER, "assertion": assertion})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text


def own_key(issuer: Issuer, machine: Person) -> tuple[RSAKey, str]:
    """A key made here, of which the issuer learns the public part."""
    key = RSAKey.generate_key(2048, private=True)
    public = base64.b64encode(key.as_pem(private=False)).decode()
    request = sdk.UserServiceAddKeyRequest(user_id=machine.user_id, public_key=public)
    return key, issuer.sdk.users.add_key(request).key_id


def signed(issuer: Issuer, machine: Person, key: RSAKey, key_id: str, wrong: dict[str, Any]) -> str:
    """An assertion with something wrong about it; None leaves a claim out."""
    now = int(time.time())
    claims = {"iss": machine.user_id, "sub": machine.user_id, "aud": issuer.url, "iat": now, "exp": now + 60}
    claims |= {name: value for name, value in wrong.items() if name in claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": "RS256", "kid": wrong.get("kid", key_id)}
    if wrong.get("alg") == "HS256":  # the public key as a shared secret, the classic confusion
        text = _compact(header | {"alg": "HS256"}, claims)
        return f"{text}.{_base64url(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"
    if wrong.get("alg") == "none":
        return _compact(header | {"alg": "none"}, claims) + "."
    if isinstance(header["kid"], int):  # which joserfc would not sign
        return _compact(header, claims) + ".c2ln"
    signer = RSAKey.generate_key(2048, private=True) if wrong.get("key") else key
    return jwt.encode(header, claims, signer)


def _compact(*parts: dict[str, Any]) -> str:
    return ".".join(_base64url(json.dumps(part).encode()) for part in parts)


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
