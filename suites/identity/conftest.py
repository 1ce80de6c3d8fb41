"""The identity of a platform that is up, as its public contract sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chaosblink.components.identity import HOST
from chaosblink.targets import Target

for name in ("logins", "machines", "refusals", "parties"):
    pytest.register_assert_rewrite(f"suites.identity.contract_{name}")

from suites.identity.contract_machines import add_machine  # noqa: E402 - after the line that makes their assertions speak
from suites.identity.contract_parties import Issuer, Person  # noqa: E402 - after the line that makes their assertions speak
from suites.identity.name_resolution import resolving  # noqa: E402 - after the line that makes their assertions speak


@pytest.fixture(scope="session")
def issuer(shared_platform: Target) -> Iterator[Issuer]:
    """The issuer, through the edge and its TLS."""
    token = shared_platform.secret("login-client-token")
    with pytest.MonkeyPatch.context() as environment, resolving(HOST, *shared_platform.endpoint("identity")):
        # requests, inside Authlib and the SDK, would trust these before the CA it is given, and go by a proxy.
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            environment.delenv(variable, raising=False)
        for variable in ("NO_PROXY", "no_proxy"):
            environment.setenv(variable, HOST)
        yield Issuer(f"https://{HOST}", token, token, str(shared_platform.ca_file))


@pytest.fixture
def person(issuer: Issuer) -> Iterator[Person]:
    """Somebody who can log in."""
    added = issuer.add_person()
    yield added
    issuer.remove_user(added.user_id)


@pytest.fixture
def machine(issuer: Issuer) -> Iterator[Person]:
    """A machine that can log in."""
    added = add_machine(issuer)
    yield added
    issuer.remove_user(added.user_id)
