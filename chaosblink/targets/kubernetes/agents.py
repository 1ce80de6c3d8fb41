"""What an agent asks of the API: labels, pods of its node, the digest of the run's token; and nothing else."""

from __future__ import annotations

from typing import Any

from kubernetes import client, config

from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Missing


class AgentApi:
    """The API as agents ask it; PlatformError when it does not answer."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def labels(self, namespace: str) -> dict[str, str]:
        """Labels of a namespace."""
        return dict(self._api.namespace(namespace)["metadata"].get("labels", {}))

    def pod(self, namespace: str, name: str) -> dict[str, Any]:
        """A pod as the API words it."""
        return self._api.pod(namespace, name)

    def token_digest(self) -> str:
        """SHA-256 of the present run's token, hexadecimal; empty while there is no run."""
        try:
            return self._api.secret(names.NAMESPACE, names.TOKEN).get("digest", b"").decode()
        except Missing:
            return ""


def of_this_agent() -> AgentApi:
    """With an agent's own ServiceAccount."""
    configuration = client.Configuration()
    config.load_incluster_config(client_configuration=configuration)
    return AgentApi(Api(configuration, "of this agent"))
