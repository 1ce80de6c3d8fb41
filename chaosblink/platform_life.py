"""Bring a platform up to full redundancy and survey it: what `chaosblink up` and `status` show."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import Console
from rich.table import Table

from chaosblink import components
from chaosblink.targets import Instance, PlatformError, Target, open_target
from chaosblink.targets.kubernetes import names
from chaosblink.targets.local import bring_up as local
from chaosblink.targets.local.layout import load_values
from chaosblink.targets.local.target import LocalTarget, state_of
from chaosblink.waiting import Timeout, until

REDUNDANT_WITHIN = 60.0
"""Seconds for a platform whose instances are healthy to be redundant as well (standbys streaming, voters joined)."""


def bring_up(name: str, overrides: tuple[str, ...], network: str, progress: Callable[[str], None]) -> LocalTarget:
    """Bring a local platform up and wait until every component is redundant; on failure nothing is left behind."""
    began = time.monotonic()
    target = local.up(name, load_values(overrides), network, progress)
    try:
        for component in components.ALL:
            _until_redundant(target, component)
    except BaseException:
        with local.undisturbed():
            local.down(name)
        raise
    progress(f"platform {name} is up and redundant after {time.monotonic() - began:.1f} s")
    return target


@contextlib.contextmanager
def at_hand(name: str, overrides: tuple[str, ...], keep: bool, progress: Callable[[str], None]) -> Iterator[Target]:
    """The platform that is up, which is left as it is; else one brought up for this and, unless `keep`, removed after.

    In a pod of the suite the platform is the one beside it.
    """
    ours = not names.inside() and not state_of(name).exists()
    if ours:
        bring_up(name, overrides, "auto", progress)
    elif overrides:
        raise PlatformError(f"--set changes a platform being brought up, and {name!r} is up; `chaosblink down` first")
    try:
        yield open_target(name)
    finally:
        if ours and not keep:
            with local.undisturbed():
                local.down(name)
            progress(f"platform {name} removed")


def _until_redundant(target: Target, component: str) -> None:
    answer = components.of(target, component)
    try:
        until(lambda: answer.redundant().ok, REDUNDANT_WITHIN, f"{component} is redundant", every=0.3)
    except Timeout:
        why = answer.redundant().why
        instance = target.instances(component)[-1]
        tail = "\n".join(target.log(instance).splitlines()[-15:])
        message = f"{component} did not become redundant within {REDUNDANT_WITHIN:g} s: {why}"
        raise local.NotComeUp(message, instance.name, tail) from None


def survey(target: Target, within: float = 0) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """One row an instance (name, component, address, port, role, healthy, pid, up_s), and what components lack.

    Waits up to `within` seconds for components that are not redundant.
    """
    deadline = time.monotonic() + within
    for component in components.ALL if within else ():
        with contextlib.suppress(Timeout):  # the survey says what is missing
            _until(components.of(target, component), max(0.1, deadline - time.monotonic()))
    instances = target.instances()
    with ThreadPoolExecutor(len(instances)) as pool:
        rows = list(pool.map(lambda instance: _row(target, instance), instances))
        answers = list(pool.map(lambda component: components.of(target, component).redundant(), components.ALL))
    gaps = {c: a.why for c, a in zip(components.ALL, answers, strict=True) if not a.ok}
    return rows, gaps


def _until(component: components.Component, within: float) -> None:
    until(lambda: component.redundant().ok, within, f"{component.name} is redundant", every=1.0)


def _row(target: Target, instance: Instance) -> dict[str, Any]:
    component = components.of(target, instance.component)
    life = target.lifetime(instance)
    return {
        "name": instance.name,
        "component": instance.component,
        "address": instance.address,
        "port": instance.port,
        "role": component.role(instance),
        "healthy": component.healthy(instance),
        "pid": (life.pid or None) if life else None,
        "up_s": round(time.time() - life.started, 1) if life else None,
    }


def render_status(rows: list[dict[str, Any]], gaps: dict[str, str]) -> str:
    """The survey as a table for a person, with colours on a terminal only."""
    table = Table(box=None, pad_edge=False)
    for heading in ("instance", "address", "role", "health", "up"):
        table.add_column(heading, justify="right" if heading == "up" else "left")
    for row in rows:
        health = "[green]healthy[/]" if row["healthy"] else "[red]NOT HEALTHY[/]"
        up = f"{row['up_s']:.0f} s" if row["up_s"] is not None else "down"
        table.add_row(row["name"], f"{row['address']}:{row['port']}", row["role"] or "no answer", health, up)
    console = Console(file=sys.stdout)
    with console.capture() as capture:
        console.print(table)
        for component, why in gaps.items():
            console.print(f"[red]{component} is not redundant:[/] {why}")
        if not gaps:
            console.print("[green]every component is redundant[/]")
    return capture.get()
