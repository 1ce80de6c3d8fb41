"""A private PostgreSQL, a private Redis and stand-in nodes as processes, on loopback ports of their own."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import psycopg
import tenacity

USER_PASSWORD = "Correct-horse-1!"
LOOPBACK = "127.0.0.1"
T = TypeVar("T")


def until(condition: Callable[[], T], within: float, what: str) -> T:
    """The condition's first truthy answer; AssertionError after `within` seconds. An exception means not yet."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(within),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type(Exception) | tenacity.retry_if_result(lambda answer: not answer),
    )
    try:
        return retrying(condition)
    except tenacity.RetryError as error:
        raise AssertionError(f"{what}: not within {within:g} s ({error.last_attempt})") from None


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    """Whether a connection to the port succeeds."""
    with socket.create_connection((LOOPBACK, port), 1):
        return True


def secret_file(path: Path, value: str) -> Path:
    """A file of mode 0600 that holds the value."""
    path.touch(mode=0o600)
    path.write_text(value)
    return path


@dataclass
class Postgres:
    """One server; as root it runs as the user postgres, whom its directory belongs to."""

    home: Path
    password: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def dsn(self) -> str:
        return f"host={LOOPBACK} port={self.port} dbname=zitadel user=zitadel password={self.password}"

    def create(self) -> None:
        secret = secret_file(self.home / "superuser", self.password)
        if os.geteuid() == 0:
            shutil.chown(self.home, "postgres")
            shutil.chown(secret, "postgres")
        options = ["-U", "zitadel", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8"]
        subprocess.run([*self._command("initdb"), "-D", self.home / "data", *options], check=True, capture_output=True)

    def start(self) -> None:
        settings = [
            f"listen_addresses={LOOPBACK}",
            f"port={self.port}",
            "fsync=off",
            f"unix_socket_directories={self.home}",
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        self.process = subprocess.Popen(
            [*self._command("postgres"), "-D", self.home / "data", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        maintenance = self.dsn.replace("dbname=zitadel", "dbname=postgres")
        with until(lambda: psycopg.connect(maintenance, autocommit=True), 30, "PostgreSQL starts") as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'zitadel'").fetchone():
                connection.execute("CREATE DATABASE zitadel")

    def stop(self) -> None:
        """Immediate shutdown, as close to a crash as the server offers."""
        pid = int((self.home / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        assert self.process is not None
        self.process.wait(10)

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def _command(self, program: str) -> list[str]:
        versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        path = str(versions[-1]) if versions else str(shutil.which(program))
        return (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", path] if os.geteuid() == 0 else [path]
        )


@dataclass
class Redis:
    """One server with a password."""

    home: Path
    password: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    def start(self) -> None:
        config = secret_file(
            self.home / "redis.conf",
            f'bind {LOOPBACK}\nport {self.port}\nrequirepass {self.password}\nsave ""\ndir {self.home}\n',
        )
        self.process = subprocess.Popen(["redis-server", config], stdout=subprocess.DEVNULL)
        until(lambda: listens(self.port), 15, "Redis starts")

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)


@dataclass
class Node:
    """One stand-in process."""

    name: str
    environment: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        environment = os.environ | self.environment | {"INSTANCE": self.name, "PORT": str(self.port)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "zitadel_standin"], env=environment, stdout=log, stderr=log
            )
        until(lambda: self.status("/debug/healthz") == 200, 30, f"{self.name} answers")

    def status(self, path: str) -> int:
        """HTTP status of a GET, on a fresh connection."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        until(lambda: self.status("/debug/ready") == 200, 30, f"{self.name} is ready")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@dataclass
class Platform:
    """Everything a test needs; two nodes that started at the same time before there was a database."""

    postgres: Postgres
    redis: Redis
    nodes: list[Node]
    token: str
    secrets: list[str]

    def client(self, node: int = 0) -> httpx.Client:
        return httpx.Client(base_url=self.nodes[node].url, timeout=10, verify=False)


def build(home: Path) -> Platform:
    values = {name: secrets.token_hex(16) for name in ("database", "redis", "login-client", "masterkey")}
    values["user"] = USER_PASSWORD
    for server in ("postgres", "redis"):
        (home / server).mkdir(mode=0o700)
    postgres, redis = (Postgres(home / "postgres", values["database"]), Redis(home / "redis", values["redis"]))
    files = {name: str(secret_file(home / f"{name}-secret", value)) for name, value in values.items()}
    environment = {
        "ADDRESS": LOOPBACK,
        "DATABASE_HOST": LOOPBACK,
        "DATABASE_PORT": str(postgres.port),
        "DATABASE_PASSWORD_FILE": files["database"],
        "REDIS_HOST": LOOPBACK,
        "REDIS_PORT": str(redis.port),
        "REDIS_PASSWORD_FILE": files["redis"],
        "LOGIN_CLIENT_TOKEN_FILE": files["login-client"],
        "MASTERKEY_FILE": files["masterkey"],
        "USER_PASSWORD_FILE": files["user"],
        "SEED_USERS": "20",
        "BCRYPT_COST": "4",
        "CACHE_BREAKER_OPEN_S": "1",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    nodes = [Node(f"identity-{i}", environment, home / f"identity-{i}.log") for i in (0, 1)]
    return Platform(postgres, redis, nodes, values["login-client"], list(values.values()))
