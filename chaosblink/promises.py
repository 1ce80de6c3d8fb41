"""Reads `platform/promises.yaml`: what the platform promises, each promise once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaosblink.checkers import UnknownChecker, checker

PROMISES = Path(__file__).resolve().parent.parent / "platform" / "promises.yaml"


class PromiseError(ValueError):
    """promises.yaml is not what it should be; the message names the promise."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One release gate; `bound` (in `unit`) is None when it is computed from the live configuration."""

    id: str
    sentence: str
    component: str
    experiments: list[str]
    checker: str
    bound: float | None
    unit: str
    reason: str
    source: str
    arguments: dict[str, Any] = field(default_factory=dict)


def load(path: Path = PROMISES) -> list[Promise]:
    """Every promise of the file; PromiseError on an unknown or missing field, a second id or an unknown checker."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("promises"), list):
        raise PromiseError(f"{path.name}: no list `promises`")
    promises = [_promise(entry) for entry in content["promises"]]
    ids = [promise.id for promise in promises]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise PromiseError(f"{path.name}: more than once: {', '.join(twice)}")
    return promises


def _promise(entry: dict[str, Any]) -> Promise:
    name = entry.get("id", "a promise without id")
    try:
        promise = Promise(**entry)
        checker(promise.checker)
    except (TypeError, UnknownChecker) as error:
        raise PromiseError(f"{name}: {error}") from None
    if not promise.experiments:
        raise PromiseError(f"{name}: no experiment judges it")
    return promise
