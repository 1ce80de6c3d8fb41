"""The parts that need no server: breaker, settings, passwords."""

from __future__ import annotations

import pytest
from zitadel_standin import passwords
from zitadel_standin.cache import Breaker
from zitadel_standin.settings import SettingsError, from_environment


class Clock:
    """A clock moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(60, clock)
    for _ in range(5):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_the_breaker_opens_after_five_failures_in_a_row_for_sixty_seconds() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 59.9
    assert not breaker.allows()


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = Breaker(60, Clock())
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()


def test_after_sixty_seconds_one_probe_goes_out_and_decides() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 60
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.failed()
    assert not breaker.allows()
    clock.now = 120
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="LOGIN_CLIENT_TOKEN_FILE is not set"):
        from_environment({})


def test_a_password_longer_than_bcrypt_reads_never_matches() -> None:
    known = passwords.hashed("x" * 72, 4)
    assert passwords.matches("x" * 72, known)
    assert not passwords.matches("x" * 73, known)
