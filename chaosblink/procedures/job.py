"""`chaosblink procedures`: the owner's commands on a cluster that was named, from outside it, with a report."""

from __future__ import annotations

import os
from pathlib import Path

from chaosblink.conformance.job import carry_out
from chaosblink.conformance.lock import shared
from chaosblink.procedures.kubectl import program
from chaosblink.targets import TARGET, PlatformError, open_target
from chaosblink.targets.local.layout import ROOT


def run_procedures(name: str, only: str) -> int:
    """Exit code: 0 every command did what the document says of it or is not run, 1 one did not, 2 no run was possible.

    `only` is an expression of pytest's -k, empty for all.
    """
    if os.environ.get(TARGET, "local") == "local":
        raise PlatformError("the procedures are kubectl's: name a cluster with --context NAME or --target kind")
    program()
    target = open_target(name)
    with shared(target), target.hold():
        return carry_out(target, "procedures", None, 0, files(), ["-k", only] if only else [])


def files() -> list[Path]:
    """Every file of procedures, in order."""
    return sorted((ROOT / "suites" / "procedures").glob("test_*.py"))
