"""Run a short command where an instance runs and read what it prints, as `chaosblink exec` does."""

from __future__ import annotations

import subprocess

import pytest

from chaosblink.targets import Instance, PlatformError, Target
from chaosblink.targets.kubernetes.target import KubernetesTarget

WITHIN_S = 20.0


def inside(target: Target, instance: Instance, command: list[str]) -> str:
    """Standard output; PlatformError when the command fails. The test is not run on a target without such a way in.

    In a cluster the account of a conformance run may do this, and that of no other run.

    The command's environment is the instance's own: DATA, SECRETS, FILES, ADDRESS (docs/architecture.md).
    """
    if isinstance(target, KubernetesTarget):
        return target.output_of(instance, command)
    enter = getattr(target, "inside", None)
    if enter is None:
        pytest.skip(f"a {target.kind} platform lets this suite run no command inside an instance")
    line, variables = enter(instance, command)
    done = subprocess.run(line, env=variables, capture_output=True, text=True, check=False, timeout=WITHIN_S)
    if done.returncode:
        raise PlatformError(f"{instance.name}: {command[0]} failed: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout
