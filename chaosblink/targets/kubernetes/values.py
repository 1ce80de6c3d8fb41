"""The values the platform was installed with: Helm's own record of its release, defaults of the chart included."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import yaml

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api


def of_release(api: Api) -> dict[str, Any]:
    """Values of the deployed release, read by a person; PlatformError when there is none."""
    selector = f"owner=helm,name={names.RELEASE},status=deployed"
    found = api.ask("list Helm's secrets", api.core.list_secret_for_all_namespaces, label_selector=selector)["items"]
    if not found:
        raise PlatformError(f"cluster {api.cluster} has no deployed release {names.RELEASE}")
    newest = max(found, key=lambda secret: int(secret["metadata"]["labels"]["version"]))
    text = base64.b64decode(base64.b64decode(newest["data"]["release"]))
    release = json.loads(gzip.decompress(text))
    return merged(release["chart"].get("values") or {}, release.get("config") or {})


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two trees of values, `above` first, as Helm merges them; a null takes a key away."""
    whole = dict(below)
    for key, inner in above.items():
        if inner is None:
            whole.pop(key, None)
        elif isinstance(inner, dict) and isinstance(whole.get(key), dict):
            whole[key] = merged(whole[key], inner)
        else:
            whole[key] = inner
    return whole


def mounted() -> dict[str, Any]:
    """Values as whoever started this pod found them."""
    found: dict[str, Any] = yaml.safe_load(names.mounted("values", "values.yaml").read_text())
    return found


def suite_image(values: dict[str, Any]) -> str:
    """The suite's image as the values name it; PlatformError when they do not."""
    named = (values.get("images") or {}).get("suite")
    if isinstance(named, dict) and named.get("repository"):
        return f"{named['repository']}:{named['tag']}" if named.get("tag") else str(named["repository"])
    if isinstance(named, str) and named:
        return named
    raise PlatformError("the release's values name no images.suite: give the suite's image with --image")
