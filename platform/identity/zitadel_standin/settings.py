"""Settings of one node, read once from the environment and from secret files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one line and names the variable, never a secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All a node needs to know. Times are seconds; secrets stay out of `repr`."""

    instance: str
    address: str
    port: int
    external_url: str
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    redis_host: str
    redis_port: int
    seed_users: int
    bcrypt_cost: int
    pool_size: int
    pool_idle: int
    acquire_timeout: float
    connection_lifetime: float
    breaker_open: float
    database_password: str = field(repr=False)
    redis_password: str = field(repr=False)
    login_client_token: str = field(repr=False)
    api_client_secret: str = field(repr=False)
    masterkey: bytes = field(repr=False)
    user_password: str = field(repr=False)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read every variable and secret file; SettingsError names the first that is missing or wrong."""
    read = _Reader(environment)
    login_client_token = read.secret("LOGIN_CLIENT_TOKEN_FILE")
    seed_users = read.number("SEED_USERS", 0, at_least=0)
    return Settings(
        instance=read.text("INSTANCE", "identity"),
        address=read.text("ADDRESS"),
        port=read.number("PORT", 8080, at_least=1),
        external_url=read.text("EXTERNAL_URL", "https://identity.blinkchamber.test").rstrip("/"),
        database_host=read.text("DATABASE_HOST"),
        database_port=read.number("DATABASE_PORT", 5432, at_least=1),
        database_name=read.text("DATABASE_NAME", "zitadel"),
        database_user=read.text("DATABASE_USER", "zitadel"),
        database_password=read.secret("DATABASE_PASSWORD_FILE"),
        redis_host=read.text("REDIS_HOST"),
        redis_port=read.number("REDIS_PORT", 6379, at_least=1),
        redis_password=read.secret("REDIS_PASSWORD_FILE"),
        login_client_token=login_client_token,
        api_client_secret=read.secret("API_CLIENT_SECRET_FILE", login_client_token),
        masterkey=_masterkey(read.secret("MASTERKEY_FILE")),
        seed_users=seed_users,
        user_password=read.secret("USER_PASSWORD_FILE") if seed_users else "",
        bcrypt_cost=read.number("BCRYPT_COST", 10, at_least=4),
        pool_size=read.number("DATABASE_MAX_OPEN_CONNS", 10, at_least=1),
        pool_idle=read.number("DATABASE_MAX_IDLE_CONNS", 5, at_least=0),
        acquire_timeout=read.number("DATABASE_ACQUIRE_TIMEOUT_S", 5, at_least=1),
        connection_lifetime=read.number("DATABASE_MAX_CONN_LIFETIME_S", 60, at_least=1),
        breaker_open=read.number("CACHE_BREAKER_OPEN_S", 60, at_least=1),
    )


def _masterkey(value: str) -> bytes:
    """ZITADEL refuses any masterkey that is not exactly 32 bytes; so does this node."""
    key = value.encode()
    if len(key) != 32:
        raise SettingsError(f"MASTERKEY_FILE: the masterkey must be 32 bytes, it is {len(key)}")
    return key


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.environment.get(name) or default
        if not value:
            raise SettingsError(f"{name} is not set")
        return value

    def number(self, name: str, default: int, at_least: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or int(value) < at_least:
            raise SettingsError(f"{name} must be a whole number of at least {at_least}")
        return int(value)

    def secret(self, name: str, default: str | None = None) -> str:
        """The first line's worth of a secret file, its trailing newline left out."""
        path = self.environment.get(name)
        if not path and default is not None:
            return default
        if not path:
            raise SettingsError(f"{name} is not set")
        try:
            value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}: cannot be read ({type(error).__name__})") from None
        if not value:
            raise SettingsError(f"{name}: the file is empty")
        return value
