"""Locust as a process of its own: it patches the standard library on import, so it is never imported here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from chaosblink.experiments.specs import pace
from chaosblink.targets import Target, entrance
from chaosblink.targets.local.layout import ROOT

USERS = 2
"""People at once during chaos: they corroborate the prober (five logins a second), which alone is near the load two
cores carry beside the whole platform."""
SCRIPT = ROOT / "loadtests" / "locustfile.py"


def mixes() -> dict[str, Any]:
    """The mixes by name, as loadtests/mix.py states them; that folder is Locust's and no package."""
    spec = importlib.util.spec_from_file_location("loadtests_mix", SCRIPT.with_name("mix.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.MIXES
    return found


def environment(target: Target) -> dict[str, str]:
    """Variables that name the edges and the files Locust's users need; no secret is in them."""
    return {
        "LOGIN_ADDRESSES": entrance(target, "identity")[0],
        "LOGIN_CA_FILE": str(target.ca_file),
        "LOGIN_PASSWORD_FILE": str(target.secret_file("user-password")),
        "LOGIN_CLIENT_TOKEN_FILE": str(target.secret_file("login-client-token")),
        "LOGIN_USERS": str(target.settings["zitadel"]["env"]["SEED_USERS"]),
    }


def command(target: Target, *options: str) -> list[str]:
    """The command line of Locust against the platform's edge, with more options behind."""
    address, port = target.endpoint("identity")
    locust = str(Path(sys.executable).parent / "locust")
    return [locust, "-f", str(SCRIPT), "--host", f"https://{address}:{port}", *options]


def headless(target: Target, logins: Path) -> tuple[list[str], dict[str, str]]:
    """Command and environment of the load beside an experiment; each request becomes a line of `logins`."""
    users = str(USERS // pace(target))
    options = ["--headless", "--users", users, "--spawn-rate", users, "--shape", "steady"]
    options += ["--logins", str(logins), "--only-summary", "--loglevel", "WARNING"]
    return command(target, *options), environment(target)
