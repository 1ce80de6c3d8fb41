"""Whose fields an upgrade may change: all that Helm ever applied, and a number of pods that somebody set by hand.

Helm applies on the server's side under the name of the program it runs in, so one started as `python` and one as
`python3` would be two owners, and each conflict between them ends an upgrade. So does a `kubectl scale` of before.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

from kubernetes.dynamic.exceptions import NotFoundError

from chaosblink.targets.kubernetes.api import PATIENCE, Json
from chaosblink.targets.kubernetes.manifests import Applier

SCALE = "scale"


def helms_name() -> str:
    """The name under which Helm, as a library of this process, applies: the program's, as it was called."""
    return Path(sys.orig_argv[0]).name


def settle(applier: Applier, objects: list[Json]) -> None:
    """Make this process's Helm the owner of what any Helm applied to these objects; those not there yet are left out.

    PlatformError when one cannot be read or changed.
    """
    for each in objects:
        applier.do("take over", each, _settle)


def _settle(resource: Any, body: Json) -> None:
    place = {"name": body["metadata"]["name"], "namespace": body["metadata"].get("namespace")}
    try:
        found = resource.get(**place, _request_timeout=PATIENCE).to_dict()
    except NotFoundError:
        return
    before = found["metadata"].get("managedFields", [])
    after = settled(before, helms_name())
    if after == before:
        return
    change = {"metadata": {"managedFields": after, "resourceVersion": found["metadata"]["resourceVersion"]}}
    kind = "application/merge-patch+json"
    resource.patch(**place, body=change, content_type=kind, _request_timeout=PATIENCE)


def settled(entries: list[Json], name: str) -> list[Json]:
    """The record of owners with one applier, `name`, and without whoever set a number of pods."""
    kept = [one for one in entries if one.get("subresource") != SCALE]
    applied = [one for one in kept if one["operation"] == "Apply" and not one.get("subresource")]
    others = [one for one in kept if one not in applied]
    if not applied:
        return others
    whole = copy.deepcopy(applied[0])
    for one in applied[1:]:
        _add(whole["fieldsV1"], one["fieldsV1"])
    whole["manager"] = name
    return [whole, *others]


def _add(fields: Json, more: Json) -> None:
    for key, inner in more.items():
        _add(fields.setdefault(key, {}), inner)
