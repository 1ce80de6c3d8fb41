"""Servers beside the platform, of the same programs and start scripts: what the owner's document would do is tried on
them, never on the platform. Each lives on a loopback address of its own and ends with the test."""

from __future__ import annotations

import os
import secrets
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from chaosblink.targets.local import preflight
from chaosblink.targets.local.certificates import Authority
from chaosblink.targets.local.layout import CHART
from chaosblink.targets.local.secret_files import write_private
from chaosblink.waiting import until

COMES_UP_WITHIN = 30.0
NOBODY = "127.64.255.254"
"""A loopback address on which nothing listens."""


def address() -> str:
    """A loopback address that no other process of this machine is likely to use."""
    number = secrets.randbelow(2**16 - 2) + 1
    return f"127.{80 + os.getpid() % 40}.{number // 256}.{number % 256}"


class Process:
    """A server that ends when this process does (the kernel's parent-death signal) or when it is told to."""

    def __init__(self, command: list[str], log: Path, variables: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=variables,
                cwd=log.parent,
            )

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End it at once, as a lost node ends; no error when it is over already."""
        self._process.kill()
        self._process.wait(5)


class ScratchVault:
    """One OpenBao server started by the platform's own start script; `token` is its root token once initialised."""

    def __init__(self, folder: Path, authority: Authority, name: str, place: str, seal_key: bytes) -> None:
        self.name, self.address, self.token = name, place, ""
        self.folder = folder / name
        for part in ("data", "secrets"):
            (self.folder / part).mkdir(mode=0o700, parents=True)
        write_private(self.folder / "secrets" / "seal-key", seal_key)
        authority.issue(self.folder / "tls", [place], [name])
        self._process: Process | None = None
        self._scheme = "https"

    @property
    def ca_file(self) -> Path:
        """PEM file of the CA that signed its certificate."""
        return self.folder / "tls" / "ca.crt"

    @property
    def log(self) -> str:
        """All it has logged."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self, peers: dict[str, str] | None = None, unseal: bool = True) -> ScratchVault:
        """Run it with these peers (itself is added) until it answers."""
        known = {**(peers or {}), self.name: self.address}
        variables = {
            **_environment(),
            "INSTANCE": self.name,
            "ADDRESS": self.address,
            "PEERS": " ".join(f"{name}={place}" for name, place in known.items()),
            "DATA": str(self.folder / "data"),
            "SECRETS": str(self.folder / "secrets"),
            "TLS": str(self.folder / "tls"),
            "FILES": str(CHART / "files" / "vault"),
            "BAO": str(preflight.bao()),
            "VAULT_AUTO_UNSEAL": "true" if unseal else "false",
        }
        return self._run(["sh", str(CHART / "files" / "vault" / "start.sh")], variables)

    def start_with(self, configuration: str, variables: dict[str, str]) -> ScratchVault:
        """Run the bare server with a configuration of the caller's."""
        (self.folder / "server.hcl").write_text(configuration)
        return self._run(
            [str(preflight.bao()), "server", f"-config={self.folder}/server.hcl"], {**_environment(), **variables}
        )

    def start_without_tls(self, token: str) -> ScratchVault:
        """Run it as the document's listener has it, plain HTTP; in memory, unsealed, `token` is its root token."""
        self._scheme, self.token = "http", token
        command = [
            str(preflight.bao()),
            "server",
            "-dev",
            f"-dev-listen-address={self.address}:8200",
            "-dev-no-store-token",
        ]
        return self._run(command, {**_environment(), "BAO_DEV_ROOT_TOKEN_ID": token, "VAULT_DEV_ROOT_TOKEN_ID": token})

    def _run(self, command: list[str], variables: dict[str, str]) -> ScratchVault:
        self._process = Process(command, self.folder / "log", variables)
        until(lambda: self._answers() or self._died(), COMES_UP_WITHIN, f"{self.name} answers", every=0.1)
        return self

    def _answers(self) -> bool:
        return self.ask("GET", "sys/seal-status").status_code == 200

    def _died(self) -> bool:
        assert self._process is not None
        if self._process.ended:
            raise SystemError(f"{self.name} ended: {self.log[-400:]}")
        return False

    def stop(self) -> None:
        """End the server; what it wrote stays until the folder goes."""
        if self._process is not None:
            self._process.stop()

    def initialise(self) -> dict[str, Any]:
        """`operator init` with a single share; with a seal that unseals itself, wait until it leads."""
        sealed_by_itself = self.ask("GET", "sys/seal-status").json()["type"] != "shamir"
        kind = "recovery" if sealed_by_itself else "secret"
        answer = self.ask("PUT", "sys/init", {f"{kind}_shares": 1, f"{kind}_threshold": 1}).raise_for_status().json()
        self.token = str(answer["root_token"])
        if sealed_by_itself:
            self.until_active()
        return dict(answer)

    def until_active(self) -> None:
        """Return when it leads and serves writes."""
        until(lambda: self.ask("GET", "sys/health").status_code == 200, COMES_UP_WITHIN, f"{self.name} leads")

    def mount_secrets(self) -> None:
        """kv version 2 at `secret/`, as the platform has it; it refuses writes for a moment after that."""
        self.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}).raise_for_status()
        body = {"data": {"probe": "x"}}
        until(lambda: self.ask("POST", "secret/data/probe", body).status_code == 200, 20, "kv accepts writes")

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> httpx.Response:
        """Whatever it answers; httpx.HTTPError when it does not."""
        with self.client(token) as client:
            return client.request(method, f"/v1/{path}", json=body)

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client with the root token, or with another one."""
        chosen = self.token if token is None else token
        return httpx.Client(
            base_url=f"{self._scheme}://{self.address}:8200",
            verify=ssl.create_default_context(cafile=str(self.ca_file)),
            headers={"X-Vault-Token": chosen} if chosen else {},
            timeout=10,
        )

    def metrics(self) -> str:
        """What Prometheus would scrape."""
        return self.ask("GET", "sys/metrics?format=prometheus").raise_for_status().text


class Vaults:
    """A folder with scratch servers of one CA."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._authority = folder, Authority("scratch")
        self._made: list[ScratchVault] = []

    def make(self, name: str, seal_key: bytes | None = None) -> ScratchVault:
        """A server that is not started yet; without `seal_key` it has one of its own."""
        made = ScratchVault(self._folder, self._authority, name, address(), seal_key or secrets.token_bytes(32))
        self._made.append(made)
        return made

    def stop(self) -> None:
        """End every server."""
        for made in self._made:
            made.stop()


@contextmanager
def vaults() -> Iterator[Vaults]:
    """Scratch OpenBao servers; they and their folder are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="chaosblink-scratch-") as folder:
        made = Vaults(Path(folder))
        try:
            yield made
        finally:
            made.stop()


def _environment() -> dict[str, str]:
    """What a server needs of this process's environment, and nothing else of it."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}
