"""What the contract promises people: logins, sessions, refresh, introspection, revocation, logout.

Imported by test modules that bring the fixtures `issuer` and `person`.
"""

from __future__ import annotations

import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import zitadel_client as sdk
from authlib.integrations.base_client import OAuthError

from suites.identity.contract_parties import CALLBACK, CLIENT, HOME, Issuer, Login, Person, tokens_of


def test_the_official_sdk_and_authlib_log_a_person_in(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    tokens = login.fetch()
    claims = login.claims(tokens)
    told = issuer.userinfo(tokens["access_token"]).json()
    assert (claims["sub"], told["sub"]) == (person.user_id, person.user_id)
    assert (claims["amr"], told["email"], told["name"]) == (["pwd"], person.login_name, "Ada Lovelace")


def test_the_login_page_sees_what_the_application_asked_for(issuer: Issuer) -> None:
    login = Login(issuer)
    login.authorize(prompt="login", login_hint="ada", max_age="60", ui_locales="de en")
    shown = issuer.sdk.oidc.get_auth_request(
        sdk.OIDCServiceGetAuthRequestRequest(auth_request_id=login.request_id)
    ).auth_request
    assert (shown.client_id, shown.redirect_uri, shown.login_hint) == (CLIENT, CALLBACK, "ada")
    assert (shown.prompt, shown.max_age) == ([sdk.OIDCServicePrompt.PROMPT_LOGIN], "60s")
    assert shown.scope == login.scope.split()


def test_a_login_page_that_gives_up_sends_the_error_home(issuer: Issuer) -> None:
    login = Login(issuer)
    login.authorize()
    error = sdk.OIDCServiceAuthorizationError(
        error=sdk.OIDCServiceErrorReason.ERROR_REASON_ACCESS_DENIED, error_description="changed my mind"
    )
    request = sdk.OIDCServiceCreateCallbackRequest(auth_request_id=login.request_id, error=error)
    url = issuer.sdk.oidc.create_callback(request).callback_url
    told = parse_qs(urlsplit(url).query)
    assert url.startswith(CALLBACK)
    assert (told["error"], told["state"]) == (["access_denied"], [login.state])
    with pytest.raises(sdk.ApiError) as refused:
        issuer.sdk.oidc.create_callback(request)
    assert refused.value.response_body["code"] == "failed_precondition"


def test_every_check_changes_the_session_token(issuer: Issuer, person: Person) -> None:
    login = Login(issuer)
    login.authorize()
    login.identify(person.login_name)
    first = login.session_token
    login.prove(person.password)
    assert login.session_token != first
    login.session_token = first
    with pytest.raises(sdk.ApiError) as refused:
        login.finish()
    assert (refused.value.code, refused.value.response_body["code"]) == (403, "permission_denied")


def test_a_session_is_shown_listed_and_deleted(issuer: Issuer, person: Person) -> None:
    login = Login(issuer)
    agent = sdk.SessionServiceUserAgent(fingerprint_id="fp-1", description="a browser")
    login.identify(person.login_name, user_agent=agent, metadata={"k": "dmFsdWU="}, lifetime="3600s")
    login.prove(person.password)
    get = sdk.SessionServiceGetSessionRequest(session_id=login.session_id)
    shown = issuer.sdk.sessions.get_session(get).session
    assert (shown.factors.user.id, shown.factors.user.login_name) == (person.user_id, person.login_name)
    assert shown.factors.password.verified_at
    assert shown.expiration_date - shown.creation_date == datetime.timedelta(hours=1)
    assert (shown.metadata["k"], shown.user_agent.fingerprint_id) == ("dmFsdWU=", "fp-1")

    query = sdk.SessionServiceSearchQuery(user_id_query=sdk.SessionServiceUserIDQuery(id=person.user_id))
    search = sdk.SessionServiceListSessionsRequest(queries=[query])
    listed = issuer.sdk.sessions.list_sessions(search)
    assert ([s.id for s in listed.sessions], int(listed.details.total_result)) == ([login.session_id], 1)

    issuer.sdk.sessions.delete_session(sdk.SessionServiceDeleteSessionRequest(session_id=login.session_id))
    assert not issuer.sdk.sessions.list_sessions(search).sessions
    with pytest.raises(sdk.ApiError) as refused:
        issuer.sdk.sessions.get_session(get)
    assert (refused.value.code, refused.value.response_body["code"]) == (404, "not_found")


def test_users_are_found_by_name_mail_and_id(issuer: Issuer, person: Person) -> None:
    by_id = sdk.UserServiceGetUserByIDRequest(user_id=person.user_id)
    shown = issuer.sdk.users.get_user_by_id(by_id).user
    assert (shown.state, shown.human.profile.given_name) == (sdk.UserServiceUserState.USER_STATE_ACTIVE, "Ada")
    like = sdk.UserServiceTextQueryMethod.TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE
    start = person.login_name.partition("@")[0].upper()
    queries = (
        {"login_name_query": sdk.UserServiceLoginNameQuery(login_name=start, method=like)},
        {"email_query": sdk.UserServiceEmailQuery(email_address=person.login_name)},
        {"in_user_ids_query": sdk.UserServiceInUserIDQuery(user_ids=[person.user_id])},
    )
    for query in queries:
        search = sdk.UserServiceListUsersRequest(queries=[sdk.UserServiceSearchQuery(**query)])
        assert [u.user_id for u in issuer.sdk.users.list_users(search).result] == [person.user_id]


def test_a_refresh_token_is_rotated_and_the_old_access_token_is_dead(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    first = login.fetch()
    second = dict(login.party.refresh_token(refresh_token=first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    assert login.claims(second)["sub"] == person.user_id
    assert issuer.userinfo(second["access_token"]).status_code == 200
    assert issuer.userinfo(first["access_token"]).status_code == 401


def test_no_refresh_token_without_offline_access(issuer: Issuer, person: Person) -> None:
    assert "refresh_token" not in tokens_of(issuer, person, "openid")


def test_a_refresh_may_narrow_the_scope_and_never_widen_it(issuer: Issuer, person: Person) -> None:
    login = Login(issuer, "openid email offline_access").ready(person)
    first = login.fetch()
    with pytest.raises(OAuthError, match="invalid_scope"):
        login.party.refresh_token(refresh_token=first["refresh_token"], scope="openid profile")
    narrowed = dict(login.party.refresh_token(refresh_token=first["refresh_token"], scope="openid"))
    assert "email" not in issuer.userinfo(narrowed["access_token"]).json()
    widened = dict(login.party.refresh_token(refresh_token=narrowed["refresh_token"]))
    assert issuer.userinfo(widened["access_token"]).json()["email"] == person.login_name


def test_introspection_follows_revocation(issuer: Issuer, person: Person) -> None:
    login = Login(issuer).ready(person)
    tokens = login.fetch()
    told = issuer.introspect(tokens["access_token"])
    assert (told["active"], told["sub"], told["client_id"]) == (True, person.user_id, CLIENT)
    assert told["exp"] > told["iat"]
    revoked = login.party.revoke_token(issuer.metadata["revocation_endpoint"], token=tokens["refresh_token"])
    assert revoked.status_code == 200
    assert issuer.introspect(tokens["access_token"]) == {"active": False}
    assert issuer.userinfo(tokens["access_token"]).status_code == 401
    again = login.party.revoke_token(issuer.metadata["revocation_endpoint"], token=tokens["refresh_token"])
    assert again.status_code == 200  # RFC 7009 section 2.2: an unknown token is no error


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_logging_out_ends_session_and_tokens(issuer: Issuer, person: Person, method: str) -> None:
    login = Login(issuer).ready(person)
    tokens = login.fetch()
    fields = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": HOME, "state": "s"}
    query, form = (fields, None) if method == "GET" else (None, fields)
    left = issuer.http.request(method, issuer.metadata["end_session_endpoint"], params=query, data=form)
    assert (left.status_code, left.headers["location"]) == (302, f"{HOME}?state=s")
    assert issuer.userinfo(tokens["access_token"]).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        login.party.refresh_token(refresh_token=tokens["refresh_token"])


def test_a_removed_user_has_no_sessions_and_no_tokens(issuer: Issuer) -> None:
    person = issuer.add_person()
    login = Login(issuer).ready(person)
    tokens = login.fetch()
    issuer.remove_user(person.user_id)
    assert issuer.userinfo(tokens["access_token"]).status_code == 401
    with pytest.raises(sdk.ApiError) as refused:
        Login(issuer).identify(person.login_name)
    assert refused.value.code == 404
