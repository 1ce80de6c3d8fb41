"""`python -m chaosblink.agent`: the agent of the node NODE_NAME, configured by its DaemonSet's environment."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from chaosblink.agent.cgroups import Cgroups
from chaosblink.agent.client import PORT
from chaosblink.agent.node import Node
from chaosblink.agent.partition import Partition
from chaosblink.agent.permission import Permission
from chaosblink.agent.server import application, serve
from chaosblink.agent.verbs import Guardian, Verbs
from chaosblink.targets.kubernetes.agents import of_this_agent


async def run() -> None:
    """Until SIGTERM, which undoes what is open."""
    name, state = os.environ["NODE_NAME"], Path(os.environ.get("AGENT_STATE", "/var/lib/chaosblink-agent"))
    node = Node(name, state, Cgroups(), Partition())
    permission = Permission(of_this_agent(), name)
    guardian, stop = Guardian(node), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = application(Verbs(node, permission.pod), guardian, permission.holds)
    tls = Path(os.environ.get("AGENT_TLS", "/etc/chaosblink/tls"))
    await serve(app, guardian, tls, os.environ.get("AGENT_ADDRESS", "0.0.0.0"), PORT, stop)


if __name__ == "__main__":
    asyncio.run(run())
