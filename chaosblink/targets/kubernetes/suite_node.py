"""The nodes set aside for the suite: they carry its runs, and no fault ever takes one."""

from __future__ import annotations

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.api import Api, Json


def set_aside(node: Json) -> bool:
    """Whether the node is the suite's."""
    return bool(node["metadata"].get("labels", {}).get(names.SUITE_NODE) == "true")


def nodes_by_use(api: Api) -> tuple[list[str], list[str]]:
    """Names of the suite's nodes and of all others, in order; PlatformError when none is the suite's: any might be."""
    nodes = api.ask("list nodes", api.core.list_node)["items"]
    suites = sorted(node["metadata"]["name"] for node in nodes if set_aside(node))
    if not suites:
        raise PlatformError(
            f"no node of cluster {api.cluster} is set aside for the suite: "
            f"kubectl --context {api.cluster} label node NAME {names.SUITE_NODE}=true"
        )
    return suites, sorted(node["metadata"]["name"] for node in nodes if not set_aside(node))
