"""The stated mix is the mix that is drawn, and the requests of applications and machines judge their answers."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from chaosblink.workloads.login import Answer, LoginFailed, Person, Tokens


def _load(name: str) -> ModuleType:
    """A module of loadtests/, which is Locust's folder and no package."""
    file = Path(__file__).parents[2] / "loadtests" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


mix = _load("mix")
requests = _load("token_requests")
PERSON = Person("ada", "pw", "service-token")
TOKENS = Tokens("a", "i", "7", "r1")


def answer(status: int = 200, **body: object) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


@pytest.mark.parametrize("name", ["everyday", "logins"])
def test_every_mix_states_the_whole(name: str) -> None:
    assert sum(mix.MIXES[name].shares.values()) == 100
    assert mix.MIXES[name].reason


def test_the_stated_mix_is_what_is_drawn() -> None:
    chance = random.Random(7)
    drawn = Counter(mix.EVERYDAY.draw(chance) for _ in range(20_000))
    for name, share in mix.EVERYDAY.shares.items():
        assert drawn[name] / 200 == pytest.approx(share, abs=1.5)
    assert mix.EVERYDAY.stated().startswith("everyday: 50 % introspect, 20 % userinfo")


def test_a_renewal_must_rotate_the_refresh_token() -> None:
    renewed = requests.renewed(answer(access_token="b", refresh_token="r2"), TOKENS)
    assert (renewed.access_token, renewed.refresh_token, renewed.subject) == ("b", "r2", "7")
    for given, why in (
        (answer(access_token="b", refresh_token="r1"), "refresh:not-rotated"),
        (answer(access_token="b"), "refresh:no-tokens"),
        (answer(400, error="invalid_grant"), "refresh:400"),
        (Answer(200, {}, b"<html>"), "refresh:no-json"),
        (Answer(200, {}, b"[]"), "refresh:no-json"),
    ):
        with pytest.raises(LoginFailed, match=why):
            requests.renewed(given, TOKENS)


def test_an_introspection_must_name_the_user_of_an_active_token() -> None:
    requests.introspected(answer(active=True, sub="7"), TOKENS)
    for given, why in (
        (answer(active=False), "introspect:inactive"),
        (answer(active="yes", sub="7"), "introspect:inactive"),
        (answer(active=True, sub="8"), "introspect:other-subject"),
        (answer(401), "introspect:401"),
    ):
        with pytest.raises(LoginFailed, match=why):
            requests.introspected(given, TOKENS)


def test_no_secret_shows_in_a_requests_text() -> None:
    made = [
        requests.refresh(PERSON, TOKENS),
        requests.introspect(TOKENS, "api-secret"),
        requests.add_machine(PERSON, "m"),
        requests.machine_login("m", "machine-secret"),
    ]
    shown = " ".join(repr(each) for each in [*made, TOKENS, PERSON])
    assert not [secret for secret in ("api-secret", "service-token", "machine-secret", "r1", "pw") if secret in shown]
