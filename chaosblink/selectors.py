"""Victims by role: `vault/leader`, `redis/master@2`, `sentinel/any`, resolved at the moment of injection."""

from __future__ import annotations

import os
import random
import re

from chaosblink import components
from chaosblink.targets import Instance, PlatformError, Target

SEED = "CHAOSBLINK_SEED"
SINGLE = ("leader", "primary", "master")
"""Roles only one instance may have (in Redis: one of a set); two of them is a platform no fault should be put on."""
CONTROL_PLANE = "control-plane"
"""Names a node and no instance: the one with the cluster's API. For faults of whole nodes alone."""
PATTERN = re.compile(r"(?P<component>[a-z]+)/(?P<role>[a-z]+|\*)(@(?P<set>[0-9]+))?(:(?P<count>[1-9]))?")


class SelectorError(PlatformError):
    """A selector is malformed or names nothing at this moment; the message says what there is instead."""


def resolve(target: Target, selector: str, seed: int | None = None) -> list[Instance]:
    """The instances a selector names now, in order of name; never empty.

    `component/role[@set][:count]`: a role (`leader`, `standby`, `primary`, `master`, `replica`, `active`) is asked of
    every server, `*` is every instance that is up and `any` one of them. Where several fit a role, and for `any`, one
    is drawn by `seed` (default: environment CHAOSBLINK_SEED, else 1), or as many as `:2` says. `@2` keeps Redis's
    second set.
    """
    parts = PATTERN.fullmatch(selector)
    if parts is None:
        raise SelectorError(f"{selector!r} is no selector; write component/role, as vault/leader or redis/master@2")
    component = components.of(target, parts["component"])
    candidates = _of_set(selector, component.name, component.instances(), parts["set"])
    if parts["role"] in ("*", "any"):
        found = [instance for instance in candidates if target.lifetime(instance)]
        roles = {i.name: "up" if i in found else "down" for i in candidates}
    else:
        roles = {instance.name: component.role(instance) for instance in candidates}
        found = [instance for instance in candidates if roles[instance.name] == parts["role"]]
    if not found:
        seen = ", ".join(f"{name} {role or '(no answer)'}" for name, role in roles.items())
        raise SelectorError(f"{selector} names nothing now ({seen}): a fault on nothing is an error")
    if parts["role"] in SINGLE:
        _one_a_set(selector, found)
    return found if parts["role"] == "*" else _draw(found, int(parts["count"] or 1), selector, seed)


def _of_set(selector: str, component: str, instances: list[Instance], number: str | None) -> list[Instance]:
    if number is None:
        return instances
    if component != "redis":
        raise SelectorError(f"{selector}: only redis has sets")
    chosen = [instance for instance in instances if instance.ordinal == int(number) - 1]
    if not chosen:
        raise SelectorError(f"{selector}: redis has no set {number}")
    return chosen


def _one_a_set(selector: str, found: list[Instance]) -> None:
    shards = [(i.ordinal if i.component == "redis" else 0) for i in found]
    if len(set(shards)) < len(shards):
        raise SelectorError(f"{selector}: {' and '.join(i.name for i in found)} both say they are; wait until one does")


def _draw(found: list[Instance], count: int, selector: str, seed: int | None) -> list[Instance]:
    if len(found) < count:
        raise SelectorError(f"{selector}: there are only {len(found)} ({', '.join(i.name for i in found)})")
    chosen = int(os.environ.get(SEED, "1")) if seed is None else seed
    return sorted(random.Random(f"{chosen} {selector}").sample(found, count), key=lambda instance: instance.name)
