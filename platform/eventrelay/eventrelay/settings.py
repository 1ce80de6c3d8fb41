"""Settings of one instance, read once from the environment and from secret files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one line and names the variable, never a secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All an instance needs to know; times in ms. The relay reads ZITADEL's database, a consumer writes its own."""

    instance: str
    address: str
    port: int
    """Of metrics, health and status."""
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    redis_host: str
    redis_port: int
    batch_size: int
    batch_ms: int
    """A batch is sent when it is full or when its oldest event is this old."""
    poll_ms: int
    """How often an active relay looks for new events, and a consumer for new elements."""
    lease_ms: int
    """A relay or consumer that was silent for this long is replaced."""
    ask_ms: int
    """How often a standby asks whether it is needed."""
    deepest: int
    """Elements a list may hold; the relay waits while it is full, and the events wait in ZITADEL's store."""
    clock_skew_ms: int
    """The most by which the clocks of two database servers differ: how far to go back after a failover."""
    database_password: str = field(repr=False)
    redis_password: str = field(repr=False)


def from_environment(environment: Mapping[str, str], database: str) -> Settings:
    """Read every variable; `database` is the default of its name and user. SettingsError names the first that is wrong.

    Variables: INSTANCE, ADDRESS, PORT, DATABASE_{HOST,PORT,NAME,USER,PASSWORD_FILE}, REDIS_{HOST,PORT,PASSWORD_FILE},
    EVENTS_{BATCH_SIZE,BATCH_MS,POLL_MS,LEASE_MS,ASK_MS,DEEPEST,CLOCK_SKEW_MS}.
    """
    read = _Reader(environment)
    return Settings(
        instance=read.text("INSTANCE"),
        address=read.text("ADDRESS"),
        port=read.number("PORT", 9464),
        database_host=read.text("DATABASE_HOST"),
        database_port=read.number("DATABASE_PORT", 5432),
        database_name=read.text("DATABASE_NAME", database),
        database_user=read.text("DATABASE_USER", database),
        redis_host=read.text("REDIS_HOST"),
        redis_port=read.number("REDIS_PORT", 6379),
        batch_size=read.number("EVENTS_BATCH_SIZE", 100),
        batch_ms=read.number("EVENTS_BATCH_MS", 1000),
        poll_ms=read.number("EVENTS_POLL_MS", 250),
        lease_ms=read.number("EVENTS_LEASE_MS", 3000),
        ask_ms=read.number("EVENTS_ASK_MS", 500),
        deepest=read.number("EVENTS_DEEPEST", 5000),
        clock_skew_ms=read.number("EVENTS_CLOCK_SKEW_MS", 5000),
        database_password=read.secret("DATABASE_PASSWORD_FILE"),
        redis_password=read.secret("REDIS_PASSWORD_FILE"),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.environment.get(name) or default
        if not value:
            raise SettingsError(f"{name} is not set")
        return value

    def number(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or int(value) < 1:
            raise SettingsError(f"{name} must be a whole number of at least 1")
        return int(value)

    def secret(self, name: str) -> str:
        try:
            value = Path(self.text(name)).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}: cannot be read ({type(error).__name__})") from None
        if not value:
            raise SettingsError(f"{name}: the file is empty")
        return value
