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

SHORTEST = 16
"""Bytes; anything shorter would be found by chance."""
ANY_SECRET = "redis-password"
"""A secret every platform has: its folder holds all of them."""


def writings(target: Target) -> dict[bytes, str]:
    """Every secret the platform holds as it is, as URLs write it and as base64 has it anywhere in a longer text, with
    the name of its file. OSError when the folder cannot be read."""
    folder = target.secret_file(ANY_SECRET).parent
    return {text: name for name, secret in _secrets(folder) for text in ways_to_write(secret)}


def _secrets(folder: Path) -> Iterable[tuple[str, bytes]]:
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        if path.name == "init.json":  # the answer of `vault operator init`: its shares are the secrets
            answer = json.loads(content)
            for kind in ("recovery_keys", "recovery_keys_base64", "keys", "keys_base64"):
                yield from ((path.name, share.encode()) for share in answer.get(kind) or [])
        elif not path.name.endswith("done"):  # when Vault was set up, no secret
            yield path.name, content.strip() if path.name != "seal-key" else content


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
    else:
        script = 'for p in /proc/[0-9]*; do printf "%s\\0" "$p"; cat "$p/environ" 2>/dev/null; printf "\\n"; done'
        lines = inside(target, instance, ["sh", "-c", script]).split("\n")
        found = {line.split("\0")[0]: line.encode() for line in lines if line.count("\0") > 1}
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
