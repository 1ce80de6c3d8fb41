"""Secrets reach applications by file: none stands in an environment, a command line or a log, in any writing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from chaosblink.conformance import exposure
from chaosblink.conformance.inside import inside
from chaosblink.conformance.logins import vault_as
from chaosblink.targets import Target

COMPONENTS = ("vault", "postgresql", "pgpool", "redis", "sentinel", "identity", "edge", "eventrelay")
FROM_VAULT = {
    "database-password": ("postgres/zitadel", "password"),
    "redis-password": ("redis/cache", "password"),
    "masterkey": ("zitadel/masterkey", "value"),
    "login-client-token": ("zitadel/login-client", "token"),
    "user-password": ("zitadel/users", "password"),
}
"""File of an identity node -> path in Vault and key."""


def digest(secret: str) -> str:
    """What may be shown when two secrets differ."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def test_the_search_itself_finds_every_writing(target: Target) -> None:
    """A search that finds nothing anywhere would pass everything below."""
    secrets = exposure.writings(target)
    assert len(set(secrets.values())) >= 8, sorted(set(secrets.values()))
    for text, name in secrets.items():
        assert name in exposure.named_in(b"HOME=/root\0X=" + text + b"\0", secrets), name


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_secret_is_in_the_environment_of(target: Target, component: str) -> None:
    instances = target.instances(component)
    if not instances:
        pytest.skip(f"this platform deploys no {component}")
    secrets = exposure.writings(target)
    found = {}
    for instance in instances:
        for process, content in exposure.environments(target, instance).items():
            if names := exposure.named_in(content, secrets):
                found[f"{instance.name}, {process}"] = names
    assert found == {}


SHIM = """#!/bin/sh
cat /proc/self/environ >>"{seen}"
tr '\\0' '\\n' </proc/$$/cmdline >>"{seen}"
PATH="{rest}" exec "{name}" "$@"
"""


@pytest.mark.only_on("local", "the check needs a directory that suite and instance share")
@pytest.mark.parametrize("component", ["vault", "pgpool", "redis", "sentinel", "identity", "edge"])
def test_no_secret_is_in_the_environment_of_what_a_health_check_starts(
    target: Target, component: str, tmp_path: Path
) -> None:
    """A kubelet runs these every few seconds; each program they start first writes down what it was given."""
    seen = tmp_path / "seen"
    for name in ("redis-cli", "psql", "curl"):
        shim = tmp_path / name
        shim.write_text(SHIM.format(seen=seen, rest=os.environ["PATH"], name=name))
        shim.chmod(0o755)
    for instance in target.instances(component):
        inside(target, instance, ["sh", "-c", f'PATH="{tmp_path}:$PATH" sh -c "$FILES/health.sh"'])
    content = seen.read_bytes()
    assert b"PATH=" in content, "no program was started, so nothing was looked at"
    assert exposure.named_in(content, exposure.writings(target)) == []


@pytest.mark.only_on("local", "every process of the platform is in this machine's process list")
def test_no_secret_is_in_the_process_list(target: Target) -> None:
    assert exposure.named_in(exposure.arguments(), exposure.writings(target)) == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_secret_is_in_the_log_of(target: Target, component: str) -> None:
    instances = target.instances(component)
    if not instances:
        pytest.skip(f"this platform deploys no {component}")
    secrets = exposure.writings(target)
    logs = {instance.name: target.log(instance).encode() for instance in instances}
    assert all(logs.values()), "an instance has logged nothing at all, so its log was not read"
    assert {name: found for name, text in logs.items() if (found := exposure.named_in(text, secrets))} == {}


def test_identitys_nodes_have_each_secret_in_a_private_file(target: Target) -> None:
    for instance in target.instances("identity"):
        listing = inside(target, instance, ["sh", "-c", 'stat -c "%n %a" "${VAULT_SECRETS_DIR:-$DATA/secrets}"/*'])
        modes = {line.rsplit("/", 1)[-1].split()[0]: line.split()[-1] for line in listing.splitlines()}
        assert set(FROM_VAULT) <= set(modes), instance.name
        assert all(mode in ("600", "400", "640", "440") for mode in modes.values()), f"{instance.name}: {modes}"


@pytest.mark.parametrize("file", FROM_VAULT)
def test_the_file_holds_what_vault_holds(target: Target, file: str) -> None:
    path, key = FROM_VAULT[file]
    with vault_as(target, "zitadel") as vault:
        held = digest(vault.ask("GET", f"secret/data/{path}").raise_for_status().json()["data"]["data"][key])
    for instance in target.instances("identity"):
        given = inside(target, instance, ["sh", "-c", f'cat "${{VAULT_SECRETS_DIR:-$DATA/secrets}}/{file}"'])
        assert digest(given) == held, instance.name


@pytest.mark.only_on("local", "in a cluster Secrets are mounted by the kubelet")
def test_every_secret_file_of_an_instance_is_its_own_users_alone(target: Target) -> None:
    for instance in target.instances():
        listing = inside(
            target, instance, ["sh", "-c", 'find "$SECRETS" "$DATA" -type f -perm /077 -name "*password*"']
        )
        assert listing.split() == [], instance.name


def test_no_instance_holds_a_secret_it_does_not_need(target: Target) -> None:
    """Least privilege among the platform's own servers: the files each was handed, by name."""
    allowed = {
        "vault": {"seal-key"},
        "redis": {"redis-password"},
        "sentinel": {"redis-password"},
        "edge": {"redis-password"},
    }
    for component, names in allowed.items():
        for instance in target.instances(component):
            given = set(inside(target, instance, ["sh", "-c", 'ls "$SECRETS"']).split())
            assert given <= names, f"{instance.name} also holds {sorted(given - names)}"
