"""CPU and memory of instances on other machines, asked of the agents there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaosblink.agent.client import Agent, Credentials
from chaosblink.history import Event
from chaosblink.observer.spec import AgentCpu
from chaosblink.targets import PlatformError

WITHIN_S = 1.0


class AgentSampler:
    """Percent of one core an instance since the sample before, and its processes' resident bytes.

    A pod that was replaced since the start is not sampled any more: its CPU is missing, not guessed.
    """

    def __init__(self, spec: AgentCpu) -> None:
        credentials = Credentials(Path(spec.tls), Path(spec.token_file))
        self._spec = spec
        self._agents = {node: Agent(node, address, credentials) for node, address in spec.addresses.items()}
        self._before: dict[str, tuple[int, float]] = {}

    def sample(self) -> list[Event]:
        """One `cpu` event an instance; the first sample of an instance only sets the mark. Silent agents give none."""
        with ThreadPoolExecutor(len(self._agents) or 1) as pool:
            return [event for events in pool.map(self._of, self._agents) for event in events]

    def _of(self, node: str) -> list[Event]:
        pods = self._spec.pods.get(node, [])
        try:
            reply = self._agents[node].ask("cpu", {"pods": pods}, WITHIN_S) if pods else None
        except PlatformError:
            return []
        found = []
        for name, (total, resident) in reply.result.items() if reply else ():
            now = reply.earliest(reply.replied) if reply else 0
            at, before = self._before.get(name, (0, 0.0))
            self._before[name] = (now, total)
            if at:
                # A killed instance takes its counters with it: the sum falls, and nothing was used.
                percent = round(max(0.0, total - before) / ((now - at) / 1e9) * 100, 1)
                data = {"instance": name, "percent": percent, "rss": resident}
                found.append(Event(now, "cpu", data | {"component": self._spec.components.get(name, "")}))
        return found
