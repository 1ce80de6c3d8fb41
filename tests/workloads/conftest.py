"""Real servers on loopback ports of their own, each in a temporary folder, for the tests of the clients."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chaosblink.targets import Instance
from chaosblink.waiting import until

HERE = "127.0.0.1"
PASSWORD = "only-for-this-test"


@dataclass
class Server:
    """A server that runs: its main process can be paused and resumed."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    def pause(self) -> None:
        """Freeze the process; the kernel goes on accepting connections for it."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill and reap."""
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=5)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("secrets") / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def redis_server() -> Iterator[Server]:
    server = start_redis()
    yield server
    server.end()
    shutil.rmtree(server.folder)


@pytest.fixture
def sentinel(redis_server: Server) -> Iterator[Server]:
    """One Sentinel that calls the Redis server `set-1`."""
    folder, port = Path(tempfile.mkdtemp()), free_port()
    config = folder / "sentinel.conf"
    lines = [
        f"port {port}",
        f"bind {HERE}",
        f"sentinel monitor set-1 {HERE} {redis_server.port} 1",
        f"sentinel auth-pass set-1 {PASSWORD}",
    ]
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(["redis-server", config, "--sentinel"], stdout=subprocess.DEVNULL)
    until(lambda: redis.Redis(HERE, port).ping(), within=5, what="a Sentinel answers", every=0.05)
    server = Server(port, process, folder)
    yield server
    server.end()
    shutil.rmtree(folder)


def start_redis() -> Server:
    """A Redis server with a password, its configuration in a file of mode 0600."""
    folder, port = Path(tempfile.mkdtemp()), free_port()
    config = folder / "redis.conf"
    config.touch(0o600)
    config.write_text(f'port {port}\nbind {HERE}\nrequirepass {PASSWORD}\nsave ""\ndir {folder}\n')
    process = subprocess.Popen(["redis-server", config], stdout=subprocess.DEVNULL)
    until(lambda: redis.Redis(HERE, port, password=PASSWORD).ping(), within=5, what="Redis answers", every=0.05)
    return Server(port, process, folder)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server with user and database `chaos`."""
    folder, port = Path(tempfile.mkdtemp()), free_port()
    initial = folder / "initial"
    initial.write_text(PASSWORD)
    if os.getuid() == 0:
        for path in (folder, initial):
            shutil.chown(path, "postgres", "postgres")
    make: list[str | Path] = [
        "initdb",
        "-D",
        folder / "data",
        "-U",
        "chaos",
        "-A",
        "scram-sha-256",
        f"--pwfile={initial}",
        "--no-sync",
    ]
    subprocess.run(_as_postgres(make), check=True, stdout=subprocess.DEVNULL)
    settings = (f"port={port}", f"listen_addresses={HERE}", "unix_socket_directories=", "fsync=off")
    run: list[str | Path] = [
        "postgres",
        "-D",
        folder / "data",
        *(word for setting in settings for word in ("-c", setting)),
    ]
    process = subprocess.Popen(_as_postgres(run), stderr=subprocess.DEVNULL)
    until(lambda: _sql(port, "postgres", "SELECT 1"), within=15, what="PostgreSQL answers")
    _sql(port, "postgres", "CREATE DATABASE chaos")
    server = Server(port, process, folder)
    yield server
    server.end()
    shutil.rmtree(folder)


def _as_postgres(command: list[str | Path]) -> list[str | Path]:
    program = shutil.which(str(command[0])) or _debian(str(command[0]))
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []
    return [*user, program, *command[1:]]


def _debian(program: str) -> str:
    """Debian keeps PostgreSQL's programs out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    if not found:
        pytest.skip(f"no {program} on this machine")
    return str(found[-1])


def _sql(port: int, database: str, statement: str) -> bool:
    with psycopg.connect(
        host=HERE, port=port, user="chaos", dbname=database, password=PASSWORD, autocommit=True, connect_timeout=2
    ) as link:
        link.execute(statement.encode())
    return True


@pytest.fixture
def administrator(postgresql: Server) -> Iterator[psycopg.Connection]:
    """A second session of the same superuser."""
    with psycopg.connect(
        host=HERE, port=postgresql.port, user="chaos", dbname="chaos", password=PASSWORD, autocommit=True
    ) as link:
        yield link


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate for `platform.test`, one PEM file that also serves as CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "platform.test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("platform.test"), x509.IPAddress(ipaddress.ip_address(HERE))]
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "platform.pem"
    file.touch(0o600)
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def instances(redis_server: Server, sentinel: Server, postgresql: Server) -> list[Instance]:
    return [
        Instance("redis-master-0", "redis", 0, HERE, redis_server.port, ""),
        Instance("sentinel-0", "sentinel", 0, HERE, sentinel.port, ""),
        Instance("postgresql-0", "postgresql", 0, HERE, postgresql.port, ""),
    ]
