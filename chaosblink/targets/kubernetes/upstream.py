"""Products of others (platform/upstream): pinned Helm releases that replace what stands in for them."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import yaml

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.release import Progress
from chaosblink.targets.kubernetes.values import merged
from chaosblink.targets.local.layout import ROOT

UPSTREAM = ROOT / "platform" / "upstream"


def releases() -> list[dict[str, Any]]:
    """Every pinned release, in the order of installation."""
    found: list[dict[str, Any]] = yaml.safe_load((UPSTREAM / "releases.yaml").read_text())["releases"]
    return found


def values_of(release: dict[str, Any]) -> dict[str, Any]:
    """Our values for a release."""
    found: dict[str, Any] = yaml.safe_load((UPSTREAM / release["values"]).read_text())
    return found


def replaced() -> dict[str, Any]:
    """Values of our own chart beside them: what they replace is off, and Vault is unsealed with its shares.

    So are the network policies: they name our pods by labels that the pods of others have not.
    """
    chosen: dict[str, Any] = {"vault": {"env": {"VAULT_AUTO_UNSEAL": "false"}}, "network": {"policies": False}}
    for release in releases():
        chosen = merged(chosen, release.get("replaces", {}))
    return chosen


def install(context: str, after: bool, within: int, progress: Progress) -> None:
    """Install or upgrade those that come before our own release, or after it. `within` is in seconds for each."""
    for release in releases():
        if bool(release.get("after")) is after:
            _one(context, release, within)
            progress(f"{release['name']} {release['version']} installed")


def _one(context: str, release: dict[str, Any], within: int) -> None:
    how: dict[str, Any] = {
        "chart_repo_url": release["repository"],
        "chart_version": release["version"],
        "timeout": within,
        "wait": "watcher" if release.get("wait", True) else None,
    }
    try:
        with helm.Config(kube_context=context, namespace=release["namespace"]) as client:
            if any(item["name"] == release["name"] for item in client.list(all_states=True)):
                client.upgrade(release["chart"], release["name"], values_of(release), **how)
            else:
                client.install(release["chart"], release["name"], values_of(release), create_namespace=True, **how)
    except helm.HelmError as error:
        line = " ".join(str(error).split())[:300]
        raise PlatformError(
            f"{release['name']} {release['version']} from {release['repository']}: {line} "
            "(--upstream needs the internet; without it the platform runs with what stands in for these products)"
        ) from None
