"""The platform's secrets, made for it alone: one file each, mode 0600, and a copy for each instance that needs it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PASSWORDS = (
    "postgres-password",
    "repmgr-password",
    "zitadel-password",
    "chaos-password",
    "pgpool-password",
    "redis-password",
    "login-client-token",
    "user-password",
)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that never existed with a wider mode than 0600."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def create(directory: Path) -> None:
    """Make every secret. `seal-key` is the KMS stand-in: 32 raw bytes that let a Vault node unseal itself."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in PASSWORDS:
        write_private(directory / name, secrets.token_urlsafe(24).encode())
    write_private(directory / "seal-key", secrets.token_bytes(32))
    write_private(directory / "masterkey", secrets.token_hex(16).encode())  # ZITADEL's is 32 characters


def hand_out(names: tuple[str, ...], source: Path, directory: Path) -> None:
    """Copy the named secrets into an instance's own directory, and no others."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        write_private(directory / name, (source / name).read_bytes())
