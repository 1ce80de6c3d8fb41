"""The suite's own objects in a cluster: rendered from platform/kubernetes, applied and removed by a person."""

from __future__ import annotations

import base64
import json
from typing import Any

import jinja2
import yaml
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, NotFoundError
from urllib3.exceptions import HTTPError

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import PATIENCE, Api, Away
from chaosblink.targets.local.layout import ROOT

MANAGER = "chaosblink"
NAMES = {
    "namespace": names.NAMESPACE,
    "platform_namespaces": list(names.PLATFORM_NAMESPACES),
    "lease": names.LEASE,
    "token": names.TOKEN,
    "volume": names.VOLUME,
    "secrets": names.SECRETS,
    "ca": names.CA,
    "values": names.VALUES,
    "run_tls": names.RUN_TLS,
    "agent_tls": names.AGENT_TLS,
    "conformance": names.CONFORMANCE_ACCOUNT,
    "stranger": names.STRANGER,
    "identity": names.IDENTITY,
    "injector": names.INJECTOR,
}


def render(template: str, **variables: Any) -> list[dict[str, Any]]:
    """The objects of a file of platform/kubernetes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "platform" / "kubernetes"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    text = environment.get_template(f"{template}.yaml.j2").render(**NAMES, **variables)
    return [each for each in yaml.safe_load_all(text) if each]


def secret(name: str, content: dict[str, bytes]) -> dict[str, Any]:
    """A Secret in the suite's namespace."""
    data = {key: base64.b64encode(text).decode() for key, text in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _in_suite(name), "data": data}


def config_map(name: str, content: dict[str, str]) -> dict[str, Any]:
    """A ConfigMap in the suite's namespace."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _in_suite(name), "data": content}


def _in_suite(name: str) -> dict[str, str]:
    return {"name": name, "namespace": names.NAMESPACE}


class Applier:
    """Puts objects into a cluster and takes them away, with a person's credentials; PlatformError in one line."""

    def __init__(self, api: Api) -> None:
        self._api = api
        try:
            self._client = DynamicClient(api.client)
        except (DynamicApiError, HTTPError, OSError) as error:
            raise Away(f"cluster {api.cluster} cannot be reached: {_line(error)}") from None

    def apply(self, objects: list[dict[str, Any]]) -> None:
        """Make each object what it says here (server-side apply); fields it does not name stay as they are."""
        for each in objects:
            self.do("apply", each, self._apply)

    def remove(self, objects: list[dict[str, Any]]) -> None:
        """Delete each, the last first; no error for one that is not there."""
        for each in reversed(objects):
            self.do("delete", each, self._delete)

    def do(self, verb: str, body: dict[str, Any], act: Any) -> None:
        """Let `act` do something with the resource of an object's kind and the object; PlatformError in one line."""
        what = f"{verb} {body['kind']} {body['metadata']['name']}"
        try:
            act(self._client.resources.get(api_version=body["apiVersion"], kind=body["kind"]), body)
        except DynamicApiError as error:
            permission = "no permission to" if error.status in (401, 403) else "could not"
            raise PlatformError(f"cluster {self._api.cluster}: {permission} {what} ({_said(error)})") from None
        except (HTTPError, OSError) as error:
            raise Away(f"cluster {self._api.cluster} cannot be reached: {_line(error)}") from None

    def _apply(self, resource: Any, body: dict[str, Any]) -> None:
        resource.server_side_apply(
            body=body,
            namespace=body["metadata"].get("namespace"),
            field_manager=MANAGER,
            force_conflicts=True,
            _request_timeout=PATIENCE,
        )

    def _delete(self, resource: Any, body: dict[str, Any]) -> None:
        try:
            resource.delete(
                name=body["metadata"]["name"],
                namespace=body["metadata"].get("namespace"),
                propagation_policy="Background",
                _request_timeout=PATIENCE,
            )
        except NotFoundError:
            return


def _said(error: DynamicApiError) -> str:
    try:
        return _line(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return _line(error)


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300]
