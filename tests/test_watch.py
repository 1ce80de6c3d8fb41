"""What the watch says of roles and logins: each change once, and a summary that counts."""

from __future__ import annotations

from rich.console import Console

from chaosblink.history import Event
from chaosblink.watch import Board


def role(board: Board, instance: str, said: str) -> None:
    """One answer of an instance, as the observer words it."""
    board.event(Event(0, "role", {"component": "x", "instance": instance, "role": said, "asked": 0}))


def view(board: Board, instance: str, of: str, sees: str) -> None:
    """Whom an instance takes for the leader."""
    board.event(Event(0, "view", {"component": "x", "instance": instance, "of": of, "sees": sees, "asked": 0}))


def test_a_role_is_said_when_it_changes() -> None:
    lines: list[str] = []
    board = Board(lines.append)
    for said in ("primary", "primary", "", "", "standby"):
        role(board, "postgresql-0", said)
    assert lines == [
        "postgresql-0 primary",
        "postgresql-0 primary -> no answer",
        "postgresql-0 no answer -> standby",
    ]


def test_a_new_leader_is_said_by_who_sees_it() -> None:
    lines: list[str] = []
    board = Board(lines.append)
    for sees in ("redis-master-0", "redis-master-0", "", "redis-replica-0"):
        view(board, "sentinel-0", "set-1", sees)
    assert lines == [
        "sentinel-0 now takes nobody for the leader of set-1",
        "sentinel-0 now takes redis-replica-0 for the leader of set-1",
    ]


def test_logins_are_counted_and_a_failure_is_said_at_once() -> None:
    lines: list[str] = []
    board = Board(lines.append)
    assert board.summary() == "no login has ended yet"
    board.login(True, 100, "")
    board.login(False, 5000, "token:http-500")
    board.login(True, 120, "")
    assert lines == ["login FAILED after 5000 ms: token:http-500", "logins succeed again (120 ms)"]
    assert board.summary() == "logins: 2 of the last 3 succeeded, median 110 ms, last failure token:http-500"


def test_the_table_shows_every_instance() -> None:
    board = Board(lambda _: None)
    role(board, "vault-0", "leader")
    role(board, "vault-1", "")
    console = Console(width=100, record=True, file=None)
    with console.capture() as captured:
        console.print(board.table())
    assert "vault-0" in captured.get()
    assert "no answer" in captured.get()
