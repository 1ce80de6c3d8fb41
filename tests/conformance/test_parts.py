"""The parts conformance tests stand on: locks, TLS versions, the wire, Prometheus' text, verdicts in a run folder."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import filelock
import pytest

from chaosblink.conformance import lock, tls
from chaosblink.conformance.exposition import fires, names, samples
from chaosblink.conformance.verdict_list import VerdictList, by_pytest
from chaosblink.conformance.wire import wire
from chaosblink.targets import PlatformError, Target
from chaosblink.targets.local.certificates import Authority
from chaosblink.verdicts import CONFORMANCE, judge
from chaosblink.waiting import Timeout


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """As much of a platform as a lock needs."""
    return cast(Target, SimpleNamespace(name="nobody", state=tmp_path))


def test_two_conformance_runs_share_a_platform_and_chaos_waits_for_both(target: Target) -> None:
    chaos = filelock.FileLock(target.state / "lock")
    with lock.shared(target), lock.shared(target), pytest.raises(filelock.Timeout):
        chaos.acquire(timeout=0)
    with chaos.acquire(timeout=0):
        pass


def test_a_chaos_run_keeps_conformance_out(target: Target) -> None:
    with (
        filelock.FileLock(target.state / "lock").acquire(timeout=0),
        pytest.raises(PlatformError, match="alone"),
        lock.shared(target),
    ):
        pass


def test_a_disturbing_test_has_the_platform_alone(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "TURN_S", 0.2)
    with lock.turn(target, alone=False):
        with lock.turn(target, alone=False):
            pass
        with pytest.raises(Timeout), lock.turn(target, alone=True):
            pass
    with lock.turn(target, alone=True), pytest.raises(Timeout), lock.turn(target, alone=False):
        pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_this_client_can_speak_what_it_claims_was_refused(version: ssl.TLSVersion) -> None:
    assert tls.can_speak(version)


def test_a_server_that_refuses_old_tls_is_seen_to(tmp_path: Path) -> None:
    Authority("test").issue(tmp_path, ["127.0.0.1"], ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for version, agreed in ((ssl.TLSVersion.TLSv1_1, ""), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")):
            threading.Thread(target=tls._serve_one, args=(listener, context), daemon=True).start()
            assert tls.version("127.0.0.1", listener.getsockname()[1], version) == agreed


def test_the_wire_hears_both_directions() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, wire(*server.getsockname()) as listened:
        client = socket.create_connection(("127.0.0.1", listened.port))
        accepted, _ = server.accept()
        client.sendall(b"question")
        assert accepted.recv(100) == b"question"
        accepted.sendall(b"answer")
        assert client.recv(100) == b"answer"
        assert bytes(listened.heard) == b"questionanswer"
        client.close()
        accepted.close()


PAGE = """# TYPE vault_core_unsealed gauge
vault_core_unsealed{cluster=""} 0
vault_core_unsealed{cluster="vault-cluster-1"} 1
# TYPE redis_up gauge
redis_up 1
"""


def test_an_expression_selects_what_is_zero_and_nothing_where_there_is_no_sample() -> None:
    assert [one.labels for one in fires(PAGE, "vault_core_unsealed")] == [{"cluster": ""}]
    assert fires(PAGE, "redis_up") == []
    assert fires(PAGE, "pg_up") == []
    assert max(one.value for one in samples(PAGE, "vault_core_unsealed")) == 1
    assert names(PAGE) == {"vault_core_unsealed", "redis_up"}


def run_with(folder: Path, text: str) -> Path:
    """A run folder without rounds, with conformance verdicts."""
    (folder / "plan.json").write_text('{"seed": null, "rounds": []}')
    (folder / CONFORMANCE).write_text(text)
    return folder


def test_conformance_verdicts_stand_beside_the_others(tmp_path: Path) -> None:
    listed = VerdictList()
    listed.pytest_xdist_node_collection_finished(["suites/vault/test_conformance.py::test_every_node_votes"])
    run = run_with(tmp_path, json.dumps([asdict(one) for one in listed.verdicts({}, by_pytest)]))
    (verdict,) = judge(run)
    assert (verdict.experiment, verdict.verdict) == ("conformance", "unknown")
    assert "did not report" in verdict.why


@pytest.mark.parametrize("text", ["", "[]", "{", '[{"verdict": "pass"}]', "[1]"])
def test_a_broken_list_is_no_pass(tmp_path: Path, text: str) -> None:
    assert [verdict.verdict for verdict in judge(run_with(tmp_path, text))] == ["unknown"]
