"""`python -m chaosblink.node_driver CONTEXT`: serves the node faults of a kind cluster to its run, until that ends."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import filelock

from chaosblink.agent.client import PORT
from chaosblink.agent.permission import RunsToken
from chaosblink.agent.server import application, serve
from chaosblink.agent.verbs import Guardian, Verbs
from chaosblink.faults import reverter
from chaosblink.node_driver.nodes import Admission, Machine, Nodes, alone, open_nodes
from chaosblink.targets import TARGET, PlatformError
from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.agents import AgentApi
from chaosblink.targets.kubernetes.api import Api, of_context
from chaosblink.targets.kubernetes.kind import cluster_of
from chaosblink.targets.kubernetes.opening import guard
from chaosblink.targets.kubernetes.suite_node import nodes_by_use
from chaosblink.targets.local.secret_files import write_private
from chaosblink.workloads import lifeline


def main() -> int:
    """Exit code: 0 when its run has ended and everything is undone, 2 when it cannot serve."""
    context = sys.argv[1]
    os.environ[TARGET] = "nodes"  # for the reverters it starts, which open the platform they find in the journal
    try:
        nodes = open_nodes(cluster_of(context))
        with alone(nodes.name), tempfile.TemporaryDirectory() as tls:
            asyncio.run(_serve(nodes, of_context(context), Path(tls)))
    except filelock.Timeout:
        print(f"another run breaks nodes of {context} from this machine; wait for it to end", file=sys.stderr)
        return 2
    except (PlatformError, OSError) as error:
        print(f"node driver: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(nodes: Nodes, api: Api, tls: Path) -> None:
    for name, content in api.secret(names.NAMESPACE, names.AGENT_TLS).items():
        write_private(tls / name, content)
    suites, _ = nodes_by_use(api)
    admission = Admission(nodes, frozenset(suites))

    def machine(asked: dict[str, object]) -> Machine:
        guard(api)
        return admission.machine(asked)

    guardian, stop = Guardian(nodes), asyncio.Event()
    app = application(Verbs(nodes, machine, reverter.arm), guardian, RunsToken(AgentApi(api).token_digest).holds)
    life = asyncio.create_task(lifeline.watch(stop))
    try:
        await serve(app, guardian, tls, nodes.engine.gateway(), PORT, stop)
    finally:
        life.cancel()


if __name__ == "__main__":
    sys.exit(main())
