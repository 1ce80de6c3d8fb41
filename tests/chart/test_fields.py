"""Every field of every object is one the API knows: a mistyped field would otherwise be dropped in silence."""

from __future__ import annotations

import re
from typing import Any

import pytest
from kubernetes import client

from tests.chart.conftest import Objects

PLAIN = {"str", "int", "bool", "object", "float", "datetime", "byte", "bytes"}


def unknown_fields(value: Any, kind: str, place: str) -> list[str]:
    """Paths below `value` that the API's type `kind` does not have."""
    if kind in PLAIN or value is None:
        return []
    if inner := re.fullmatch(r"[Ll]ist\[(.+)\]", kind):
        return [bad for i, each in enumerate(value) for bad in unknown_fields(each, inner[1], f"{place}[{i}]")]
    if inner := re.fullmatch(r"[Dd]ict[(\[]str, (.+)[)\]]", kind):
        return [bad for key, each in value.items() for bad in unknown_fields(each, inner[1], f"{place}.{key}")]
    model = getattr(client, kind)
    fields = {name: model.openapi_types[attribute] for attribute, name in model.attribute_map.items()}
    found = [f"{place}.{key}" for key in value if key not in fields]
    return found + [
        bad
        for key, each in value.items()
        if key in fields
        for bad in unknown_fields(each, fields[key], f"{place}.{key}")
    ]


def test_every_field_is_known_to_the_api(objects: Objects) -> None:
    bad = [path for item in objects for path in unknown_fields(item, f"V1{item['kind']}", item["metadata"]["name"])]
    assert not bad


@pytest.mark.parametrize("spelt", [{"replica": 1}, {"template": {"spec": {"containers": [{"nam": "x"}]}}}])
def test_a_mistyped_field_is_seen(spelt: dict[str, Any]) -> None:
    assert len(unknown_fields({"spec": spelt}, "V1StatefulSet", "x")) == 1
