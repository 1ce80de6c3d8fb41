"""What a fault is told (victims), what it answers (an effect), and the three verbs every fault has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from chaosblink.faults import processes
from chaosblink.targets import Instance, PlatformError, Target


class FaultError(PlatformError):
    """A fault could not be injected, did not bite or could not be undone; the message is one line."""


@dataclass(frozen=True, slots=True)
class Victim:
    """One life of one instance, written down before anything touches it.

    `pid` and `started` are the target's `Lifetime`; `processes` maps every pid of that life to the clock tick at which
    it started, which together name a process once and for all. In a cluster these are pids of the node, and `place`
    tells which agent finds them by which pod (see chaosblink/agent/node.py).
    """

    instance: str
    pid: int
    started: float
    processes: dict[int, int]
    place: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effect:
    """A fault that has bitten. `t0` is `time.monotonic_ns()` of its first effect, `proof` is what shows it (JSON)."""

    fault: str
    victims: list[Victim]
    t0: int
    proof: dict[str, Any]
    id: str = ""
    selector: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """The effect as JSON: victims by name, their lives beside them."""
        lives = [{"instance": v.instance, "pid": v.pid, "started": v.started} for v in self.victims]
        return {**asdict(self), "victims": [v.instance for v in self.victims], "lives": lives}


class Fault(Protocol):
    """One way to break instances."""

    def inject(self, victims: list[Victim]) -> Effect:
        """Break every victim and return once it is proven; FaultError when it is not within a deadline."""

    def revert(self, effect: Effect) -> None:
        """Undo the fault; no error when it is already undone. `effect` may come from the journal without a proof."""

    def residue(self, victims: list[Victim]) -> list[str]:
        """What of the fault is still there, one line each; empty when healed."""


UNCERTAIN_MS = 20.0
"""A wider bracket is shown as uncertainty: docs/measuring.md rule 1."""


def bracket(earliest: int, latest: int) -> dict[str, Any]:
    """Between which moments (ns) a fault's first effect lies, and how much that is in ms."""
    ms = (latest - earliest) / 1e6
    return {"earliest": earliest, "latest": latest, "ms": round(ms, 3), "uncertain": ms > UNCERTAIN_MS}


def snapshot(target: Target, instance: Instance) -> Victim:
    """The instance's current life as a victim; FaultError when it is down (a fault on nothing is an error)."""
    life = target.lifetime(instance)
    ticks = {pid: started for pid in target.processes(instance) if (started := processes.started(pid)) is not None}
    if life is None or life.pid not in ticks:
        raise FaultError(f"{instance.name} is already down: there is nothing to break")
    return Victim(instance.name, life.pid, life.started, ticks)


def alive(target: Target, instance: Instance) -> bool:
    """Whether the instance has a main process that really runs: a supervisor may not have noticed a death yet."""
    life = target.lifetime(instance)
    return life is not None and processes.started(life.pid) is not None


def instances_of(target: Target, victims: list[Victim]) -> list[Instance]:
    """The victims as instances, in their order; FaultError for one the platform no longer has."""
    known = {instance.name: instance for instance in target.instances()}
    missing = [victim.instance for victim in victims if victim.instance not in known]
    if missing:
        raise FaultError(f"the platform has no instance {', '.join(missing)}")
    return [known[victim.instance] for victim in victims]
