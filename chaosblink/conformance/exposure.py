"""Where a platform's secrets must not be: every writing of each of them, and the environments of its processes."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

from chaosblink.conformance.inside import inside
from chaosblink.targets import Instance, Target
from chaosblink.targets.kubernetes.target import KubernetesTarget

SHORTEST = 16
"""Bytes; anything shorter would be found by chance."""
ANY_SECRET = "redis-password"
"""A secret every platform has: its folder holds all of them."""


def writings(target: Target) -> dict[bytes, str]:
    """Every secret the platform holds as it is, as URLs write it and as base64 has it anywhere in a longer text, with
    the name of its file. OSError or PlatformError when they cannot be read."""
    return {text: name for name, secret in _secrets(held(target)) for text in ways_to_write(secret)}


def held(target: Target) -> dict[str, bytes]:
    """Content of every file of secrets the platform has, by name."""
    if isinstance(target, KubernetesTarget):
        return target.every_secret()
    folder = target.secret_file(ANY_SECRET).parent
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _secrets(files: dict[str, bytes]) -> Iterable[tuple[str, bytes]]:
    for name, content in files.items():
        if name == "init.json":  # the answer of `vault operator init`: its shares are the secrets
            answer = json.loads(content)
            for kind in ("recovery_keys", "recovery_keys_base64", "keys", "keys_base64"):
                yield from ((name, share.encode()) for share in answer.get(kind) or [])
        elif not name.endswith("done"):  # when Vault was set up, no secret
            yield name, content.strip() if name != "seal-key" else content


def ways_to_write(secret: bytes) -> set[bytes]:
    """The secret itself, its percent-encoding, its hexadecimal, and its base64 at each of the three places a byte can
    have in a group of three (an `Authorization: Basic` header writes it behind a user's name)."""
    plain = {secret, urllib.parse.quote(secret, safe="").encode(), secret.hex().encode()}
    encoded = {text for shift in range(3) for text in (_base64_inside(secret, shift),)}
    return {text for text in plain | encoded if len(text) >= SHORTEST}


def _base64_inside(secret: bytes, shift: int) -> bytes:
    """Base64 of the secret behind `shift` other bytes, without the characters its neighbours have a part in."""
    text = base64.b64encode(b"\0" * shift + secret)
    return text[(0, 2, 3)[shift] : len(text) - (0, 3, 2)[(len(secret) + shift) % 3]]


def named_in(content: bytes, secrets: dict[bytes, str]) -> list[str]:
    """Names of the secrets a text holds."""
    return sorted({name for text, name in secrets.items() if text in content})


def environments(target: Target, instance: Instance) -> dict[str, bytes]:
    """The environment of each of the instance's processes, by pid and name of the program.

    What is short-lived may be gone before it is read. RuntimeError when not one could be read.
    """
    if target.kind == "local":
        found = dict(filter(None, map(_environment, target.processes(instance))))
    else:  # what its owner and nobody else may read: the command runs as the server's user
        script = 'for p in /proc/[0-9]*; do printf "\\001%s\\0" "$p"; cat "$p/environ" 2>/dev/null; done; true'
        told = [text.partition("\0") for text in inside(target, instance, ["sh", "-c", script]).split("\1")]
        found = {process: environment.encode() for process, _, environment in told if environment}
        if "/proc/1" not in found:  # the server; all others may be of this very question
            found = {}
    if not found:
        raise RuntimeError(f"{instance.name}: no process whose environment could be read")
    return found


def _environment(pid: int) -> tuple[str, bytes] | None:
    place = Path("/proc", str(pid))
    try:
        return f"{pid} {(place / 'comm').read_text().strip()}", (place / "environ").read_bytes()
    except OSError:
        return None


def arguments() -> bytes:
    """The command line of every process of this machine."""
    return subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, check=True).stdout
