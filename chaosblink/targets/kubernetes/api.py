"""Questions to a cluster's API: JSON out, a deadline on each, and every failure one line."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from chaosblink.targets import CONTEXT, TARGET, PlatformError
from chaosblink.targets.kubernetes import names

PATIENCE = (3.0, 15.0)
"""Seconds for a connection and for an answer."""
SILENT_S = 3600.0
"""A followed log may be silent for so long."""
Json = dict[str, Any]


class Away(PlatformError):
    """The API cannot be reached, or cannot answer now."""


class Later(Away):
    """The API asks to try again later: too many questions, or a disruption budget that allows no eviction now."""


class Missing(PlatformError):
    """The API has no such object."""


class Conflict(PlatformError):
    """Somebody else has changed or made the object meanwhile."""


class Api:
    """The API of one cluster; `cluster` is the name a person knows it by."""

    def __init__(self, configuration: client.Configuration, cluster: str) -> None:
        configuration.retries = False
        self.cluster = cluster
        self.configuration = configuration
        self.client = client.ApiClient(configuration)
        self.core = client.CoreV1Api(self.client)
        self.apps = client.AppsV1Api(self.client)
        self.batch = client.BatchV1Api(self.client)
        self.leases = client.CoordinationV1Api(self.client)
        self.policy = client.PolicyV1Api(self.client)
        self.discovery = client.DiscoveryV1Api(self.client)
        self.webhooks = client.AdmissionregistrationV1Api(self.client)

    def ask(self, what: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The JSON answer of one call of the client library; `what` completes "no permission to ..."."""
        return json.loads(self.raw(what, call, *arguments, **options).data)

    def raw(self, what: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The HTTP answer of one call, its body still to be read (`.data`, or `.stream()` of a followed log)."""
        settings = {"_request_timeout": PATIENCE, **options}
        try:
            return call(*arguments, _preload_content=False, **settings)
        except ApiException as error:
            raise self._refusal(what, error) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Away(f"cluster {self.cluster} cannot be reached: {_first_line(error)}") from None

    def namespace(self, name: str) -> Json:
        """A namespace."""
        return self.ask(f"get namespace {name}", self.core.read_namespace, name)

    def secret(self, namespace: str, name: str) -> dict[str, bytes]:
        """A Secret's values."""
        found = self.ask(f"get secret {namespace}/{name}", self.core.read_namespaced_secret, name, namespace)
        return {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}

    def config_map(self, namespace: str, name: str) -> dict[str, str]:
        """A ConfigMap's values."""
        what = f"get configmap {namespace}/{name}"
        found = self.ask(what, self.core.read_namespaced_config_map, name, namespace)
        return dict(found.get("data") or {})

    def pod(self, namespace: str, name: str) -> Json:
        """A pod; Missing when there is none of this name."""
        return self.ask(f"get pod {namespace}/{name}", self.core.read_namespaced_pod, name, namespace)

    def pods(self, namespace: str, selector: str = "") -> list[Json]:
        """Pods of a namespace, by label."""
        what = f"list pods in namespace {namespace}"
        options = {"label_selector": selector} if selector else {}
        return list(self.ask(what, self.core.list_namespaced_pod, namespace, **options)["items"])

    def uid(self) -> str:
        """What tells one cluster from another: the UID of its namespace kube-system."""
        return str(self.namespace("kube-system")["metadata"]["uid"])

    def lines(self, namespace: str, pod: str, container: str, **options: Any) -> Iterator[str]:
        """A container's log, line by line; with `follow` until the container ends."""
        what = f"read the log of {namespace}/{pod}"
        settings = {"container": container, "_request_timeout": (PATIENCE[0], SILENT_S), **options}
        answer = self.raw(what, self.core.read_namespaced_pod_log, pod, namespace, **settings)
        rest = b""
        try:
            for chunk in answer.stream(2**14):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Away(f"the log of {pod} broke off: {_first_line(error)}") from None
        if rest:
            yield rest.decode(errors="replace")

    def _refusal(self, what: str, error: ApiException) -> PlatformError:
        if error.status == 404:
            return Missing(f"cluster {self.cluster}: nothing found on trying to {what}")
        if error.status == 409:
            return Conflict(f"cluster {self.cluster}: conflict on trying to {what}")
        if error.status in (401, 403):
            return PlatformError(f"cluster {self.cluster}: no permission to {what} ({_said(error)})")
        if error.status == 429:
            return Later(f"cluster {self.cluster} would not {what} now: {_said(error)}")
        if error.status in (500, 502, 503, 504):
            return Away(f"cluster {self.cluster} could not {what}: {error.status} {_said(error)}")
        return PlatformError(f"cluster {self.cluster} would not {what}: {error.status} {_said(error)}")


def _said(error: ApiException) -> str:
    try:
        return " ".join(str(json.loads(error.body or "")["message"]).split())
    except (TypeError, ValueError, KeyError):
        return str(error.reason)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def connect(name: str) -> Api:
    """The cluster that was named: by its UID in a pod of the suite, else by a context of the kubeconfig.

    PlatformError when none was named, when the one named is not there, or when this pod's cluster is another one.
    """
    configuration = client.Configuration()
    if names.inside():
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise PlatformError(f"{names.CLUSTER} is set, and this is no pod: {error}") from None
        api = Api(configuration, "of this pod")
        if api.uid() != os.environ[names.CLUSTER]:
            raise PlatformError(f"this pod's cluster is not the one that was named ({names.CLUSTER})")
        return api
    return of_context(context_of(name))


def of_context(context: str) -> Api:
    """The cluster of a context of the kubeconfig; PlatformError when there is no such context."""
    configuration = client.Configuration()
    try:
        config.load_kube_config(context=context, client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise PlatformError(f"no context {context!r} can be used: {_first_line(error)}; {_contexts()}") from None
    return Api(configuration, context)


def context_of(name: str) -> str:
    """The context that was named: CONTEXT, or for a kind cluster `kind-<name>`; PlatformError without either."""
    chosen = os.environ.get(CONTEXT, "")
    if not chosen and os.environ.get(TARGET) == "kind":
        chosen = f"kind-{name}"
    if not chosen:
        raise PlatformError(f"a cluster is touched only if it is named: --context NAME; {_contexts()}")
    return chosen


def _contexts() -> str:
    try:
        found, _ = config.list_kube_config_contexts()
        return f"there are {', '.join(each['name'] for each in found)}"
    except (config.ConfigException, OSError):
        return "there is no kubeconfig"
