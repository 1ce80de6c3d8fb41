"""kubectl as a person uses it, against a program that stands in for it: nothing secret is an argument or is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chaosblink.procedures.kubectl import Kubectl, executing, with_secret
from chaosblink.targets import PlatformError

PROGRAM = """#!/bin/sh
printf '%s\\n' "$*" >>"$SEEN"
shift
case "$1" in
exec)
  while [ "$1" != -- ]; do shift; done
  shift
  exec "$@"
  ;;
fail) echo "it may not" >&2; exit 3 ;;
hang) exec sleep 60 ;;
esac
echo "$*"
"""


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """Runs what `exec` is given on this machine, and writes down its arguments."""
    place = tmp_path / "kubectl"
    place.write_text(PROGRAM)
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    return Kubectl("somewhere")


def test_every_command_goes_to_the_cluster_that_was_named(kubectl: Kubectl, tmp_path: Path) -> None:
    assert kubectl("get", "pods") == "get pods\n"
    assert (tmp_path / "seen").read_text() == "--context=somewhere get pods\n"
    ((command, seconds),) = kubectl.done
    assert command == "kubectl get pods"
    assert seconds > 0


def test_a_command_that_fails_says_why(kubectl: Kubectl) -> None:
    with pytest.raises(PlatformError, match="kubectl fail ended with 3: it may not"):
        kubectl("fail")
    assert kubectl.tried("fail").code == 3


def test_a_command_that_hangs_is_ended(kubectl: Kubectl) -> None:
    with pytest.raises(PlatformError, match=r"did not end within 0\.3 s"):
        kubectl("hang", within=0.3)


def test_a_secret_reaches_the_environment_and_no_argument(kubectl: Kubectl, tmp_path: Path) -> None:
    command = with_secret("TOKEN", "sh", "-c", 'printf "%s|" "$TOKEN"; cat')
    assert kubectl.inside(("here", "pod-0"), *command, given="s3cr3t\nand the rest") == "s3cr3t|and the rest"
    assert "s3cr3t" not in (tmp_path / "seen").read_text() + str(kubectl.done)


def test_standard_input_is_opened_only_for_what_is_given() -> None:
    assert executing(("here", "pod-0"), ("ls",)) == ("exec", "-n", "here", "pod-0", "--", "ls")
    assert executing(("here", "pod-0"), ("cat",), stdin=True)[1] == "-i"


ASKS = 'stty -echo; printf "Key (will be hidden): "; read -r key; stty echo; test "$key" = "$0"'


def test_what_is_typed_at_a_terminal_is_taken_and_not_shown(kubectl: Kubectl) -> None:
    kubectl.typed("exec", "-it", "--", "sh", "-c", ASKS, "a-share", prompt="hidden", answer="a-share")


def test_a_wrong_answer_fails(kubectl: Kubectl) -> None:
    with pytest.raises(PlatformError, match="ended with 1"):
        kubectl.typed("exec", "-it", "--", "sh", "-c", ASKS, "a-share", prompt="hidden", answer="another")


def test_a_program_that_shows_what_is_typed_is_seen(kubectl: Kubectl) -> None:
    echoing = 'printf "Key: "; read -r key; echo "$key"'
    with pytest.raises(PlatformError, match="showed what was typed"):
        kubectl.typed("exec", "-it", "--", "sh", "-c", echoing, prompt="Key", answer="a-share")


def test_a_program_that_never_asks_is_no_success(kubectl: Kubectl) -> None:
    with pytest.raises(PlatformError, match="did not ask"):
        kubectl.typed("exec", "-it", "--", "true", prompt="hidden", answer="a-share")
