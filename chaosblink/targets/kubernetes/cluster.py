"""One cluster by the name of its context: connections to its API, and errors of it as one line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from functools import cached_property

import kubernetes
import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from chaosblink.targets import PlatformError

TIMEOUT_S = (3.05, 20.0)
"""Seconds to connect and to wait for an answer, of every request."""


class Cluster:
    """Typed clients of one cluster; nothing is asked before the first call of one of them."""

    def __init__(self, context: str) -> None:
        """PlatformError when the kubeconfig does not know the context."""
        self.context = context
        try:
            self.client = kubernetes.config.new_client_from_config(context=context)
        except (ConfigException, OSError) as error:
            raise PlatformError(
                f"no context {context!r} in the kubeconfig ({_line(str(error))}): see `kubectl config get-contexts`, "
                "or make a cluster with scripts/create-kind-cluster.sh"
            ) from None

    @cached_property
    def core(self) -> kubernetes.client.CoreV1Api:
        """Pods, Secrets, ConfigMaps, namespaces."""
        return kubernetes.client.CoreV1Api(self.client)

    @cached_property
    def apps(self) -> kubernetes.client.AppsV1Api:
        """StatefulSets and Deployments."""
        return kubernetes.client.AppsV1Api(self.client)

    @cached_property
    def admission(self) -> kubernetes.client.AdmissionregistrationV1Api:
        """Webhooks."""
        return kubernetes.client.AdmissionregistrationV1Api(self.client)

    @contextlib.contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Errors of the API inside become a PlatformError that says what was attempted."""
        try:
            yield
        except ApiException as error:
            raise PlatformError(f"{what}: {self.context} refused: {_message(error)}") from None
        except urllib3.exceptions.HTTPError as error:
            raise PlatformError(f"{what}: {self.context} does not answer ({_line(str(error))})") from None


def not_found(error: ApiException) -> bool:
    """Whether the object asked for does not exist."""
    return bool(error.status == 404)


def _message(error: ApiException) -> str:
    try:
        return _line(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return _line(f"{error.status} {error.reason}")


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
