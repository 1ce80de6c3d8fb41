"""Logins and Vault writes over TLS against a fake that misbehaves on demand: what the history then says."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chaosblink.history import Operation, read_operations
from chaosblink.workloads.__main__ import path_of
from chaosblink.workloads.login_path import login_once
from chaosblink.workloads.prober import Prober
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.spec import LoginRoute, PathSpec, Spec, VaultRoute

HERE = "127.0.0.1"
REPOSITORY = Path(__file__).parents[2]


def _load(name: str) -> ModuleType:
    """A module that lies beside this one or in the repository: tests are imported without packages."""
    file = REPOSITORY / name
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


fake_identity = _load("tests/workloads/fake_identity.py")
shapes = _load("loadtests/shapes.py")


@pytest.fixture
def fake(certificate: Path) -> Iterator[object]:
    with fake_identity.serving(certificate) as running:
        yield running


@pytest.fixture
def spec(fake: object, certificate: Path, password_file: Path, tmp_path: Path) -> Spec:
    port, secret, ca = fake.port, str(password_file), str(certificate)  # type: ignore[attr-defined]
    vault = VaultRoute(HERE, port, ca, secret, secret, host="platform.test")
    login = LoginRoute(HERE, port, ca, secret, secret, host="platform.test", users=3)
    return Spec("run-1", str(tmp_path), [], [], vault=vault, login=login)


def probe(spec: Spec, path: str, seconds: float = 0.6, deadline_ms: float = 2000) -> list[Operation]:
    """Operations of a path with 50 ms between them, without the first ones that had no token yet."""

    async def run() -> None:
        one = PathSpec(path, 50, deadline_ms)
        recorder, stopping = Recorder(Path(spec.folder), [path]), asyncio.Event()
        running = asyncio.create_task(Prober(one, path_of(spec, one), recorder, "t").run(time.monotonic_ns(), stopping))
        await asyncio.sleep(seconds)
        stopping.set()
        await running
        recorder.flush()

    asyncio.run(run())
    return [op for op in read_operations(Path(spec.folder) / "history.jsonl") if op.reason != "no-token"]


def outcomes(operations: list[Operation]) -> set[tuple[str, str]]:
    """What happened, without repetition."""
    assert operations
    return {(op.outcome, op.reason) for op in operations}


def test_a_login_is_six_requests_on_one_fresh_connection(spec: Spec, fake: object) -> None:
    operations = probe(spec, "login")
    assert outcomes(operations) == {("ok", "")}
    assert {op.server for op in operations} == {"identity-1"}
    seen = fake.seen  # type: ignore[attr-defined]
    steps = ("authorize", "session", "password", "callback", "token", "userinfo")
    assert {seen[step] for step in steps} == {len(operations)}
    assert len(fake.connections) == len(operations)  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", ["authorize", "session", "password", "callback", "token", "userinfo"])
def test_a_failed_login_names_step_and_status(spec: Spec, fake: object, step: str) -> None:
    fake.status_of[step] = 503  # type: ignore[attr-defined]
    assert outcomes(probe(spec, "login", 0.2)) == {("fail", f"{step}:503")}


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("state", "another", "callback:wrong-state"),
        ("redirect", "https://evil.test/", "callback:foreign-redirect"),
        ("audience", "another", "token:wrong-audience"),
    ],
)
def test_a_login_is_refused_by_the_client_when_it_was_tampered_with(
    spec: Spec, fake: object, attribute: str, value: str, reason: str
) -> None:
    setattr(fake, attribute, value)
    assert outcomes(probe(spec, "login", 0.2)) == {("fail", reason)}


def test_a_login_that_breaks_or_hangs_names_its_step(spec: Spec, fake: object) -> None:
    fake.drops.add("password")  # type: ignore[attr-defined]
    assert outcomes(probe(spec, "login", 0.2)) == {("fail", "password:connection-lost")}
    fake.drops.clear()  # type: ignore[attr-defined]
    fake.hangs.add("token")  # type: ignore[attr-defined]
    Path(spec.folder, "history.jsonl").unlink()
    assert outcomes(probe(spec, "login", 0.2, deadline_ms=800)) == {("fail", "token:deadline")}


def test_one_login_for_a_probe(spec: Spec) -> None:
    assert spec.login is not None
    assert login_once(spec.login).subject == "7"


@pytest.mark.parametrize("kind", ["persistent", "fresh"])
def test_vault_writes_name_the_node_that_answered(spec: Spec, fake: object, kind: str) -> None:
    operations = probe(spec, f"vault/{kind}")
    assert outcomes(operations) == {("ok", "")}
    assert {op.server for op in operations} == {"vault-2"}
    few = len(fake.connections) <= 9  # type: ignore[attr-defined]
    assert few if kind == "persistent" else len(fake.connections) > len(operations)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "outcome"), [(403, "fail"), (429, "fail"), (500, "unknown"), (503, "unknown")])
def test_vault_statuses(spec: Spec, fake: object, status: int, outcome: str) -> None:
    fake.status_of["write"] = status  # type: ignore[attr-defined]
    assert outcomes(probe(spec, "vault/persistent")) == {(outcome, f"http-{status}")}


def test_a_vault_write_whose_answer_is_lost_is_unknown_and_sent_once(spec: Spec, fake: object) -> None:
    fake.drops.add("write")  # type: ignore[attr-defined]
    operations = probe(spec, "vault/persistent")
    assert outcomes(operations) == {("unknown", "connection-lost")}
    assert fake.seen["write"] == len(operations)  # type: ignore[attr-defined]


def test_locust_writes_a_line_a_request_and_no_secret(
    spec: Spec, fake: object, certificate: Path, tmp_path: Path
) -> None:
    assert spec.login is not None
    fake.status_of["userinfo"] = 500  # type: ignore[attr-defined]
    environment = os.environ | {
        "LOGIN_CA_FILE": str(certificate),
        "LOGIN_PASSWORD_FILE": spec.login.password_file,
        "LOGIN_CLIENT_TOKEN_FILE": spec.login.login_client_token_file,
        "LOGIN_HOST": "platform.test",
    }
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary"]
    command += ["--host", f"https://{HERE}:{spec.login.port}", "--users", "2", "--run-time", "4s", "--think-s", "0.1"]
    command += ["--logins", str(tmp_path / "logins.jsonl"), "--stop-timeout", "2"]
    ended = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=90
    )
    assert (tmp_path / "logins.jsonl").exists(), ended.stderr
    lines = [json.loads(line) for line in (tmp_path / "logins.jsonl").read_text().splitlines()]
    assert {line["step"] for line in lines if line["ok"]} == {"authorize", "session", "password", "callback", "token"}
    assert {(line["status"], line["error"]) for line in lines if not line["ok"]} == {(500, "userinfo:500")}
    assert all(line["start"] < line["end"] for line in lines)
    assert {line["served_by"] for line in lines if line["ok"]} == {"identity-1"}
    assert "only-for-this-test" not in ended.stderr + ended.stdout + (tmp_path / "logins.jsonl").read_text()


def test_the_everyday_mix_does_all_its_operations_and_leaves_no_machine(
    spec: Spec, fake: object, certificate: Path, tmp_path: Path
) -> None:
    assert spec.login is not None
    environment = os.environ | {
        "LOGIN_CA_FILE": str(certificate),
        "LOGIN_PASSWORD_FILE": spec.login.password_file,
        "LOGIN_CLIENT_TOKEN_FILE": spec.login.login_client_token_file,
        "LOGIN_HOST": "platform.test",
    }
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary"]
    command += ["--host", f"https://{HERE}:{spec.login.port}", "--users", "2", "--run-time", "4s", "--think-s", "0.005"]
    command += ["--mix", "everyday", "--logins", str(tmp_path / "logins.jsonl"), "--stop-timeout", "2"]
    ended = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=90
    )
    assert (tmp_path / "logins.jsonl").exists(), ended.stderr
    lines = [json.loads(line) for line in (tmp_path / "logins.jsonl").read_text().splitlines()]
    assert not [line for line in lines if not line["ok"]]
    steps = {"authorize", "session", "password", "callback", "token", "userinfo", "refresh", "introspect"}
    assert {line["step"] for line in lines} == steps | {"machine-login", "machine-setup"}
    seen = fake.seen  # type: ignore[attr-defined]
    assert seen["add-machine"] == seen["add-secret"] == seen["remove-machine"] == 2
    assert "machine-secret" not in ended.stderr + ended.stdout + (tmp_path / "logins.jsonl").read_text()


@pytest.mark.parametrize(
    ("shape", "users"),
    [("steady", [40, 40, 40, 40, 40]), ("step", [10, 20, 30, 40, 40]), ("spike", [4, 40, 4, 4, 40])],
)
def test_shapes(shape: str, users: list[int]) -> None:
    load = shapes.Load(peak=40, rate=5, step_s=30)
    assert [shapes.SHAPES[shape](seconds, load)[0] for seconds in (0, 30, 60, 90, 120)] == users
