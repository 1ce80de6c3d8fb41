"""Isolate: the packets between an instance and all others are dropped while it goes on running."""

from __future__ import annotations

import time
from typing import Any

from chaosblink.faults.effect import Effect, FaultError, Victim, instances_of
from chaosblink.targets import Instance, Target
from chaosblink.waiting import Timeout, until

FIRST_DROP_S = 10.0
"""Every server of the platform speaks to its peers at least once in this time; a cut nobody runs into is no fault."""


class Isolate:
    """A partition. t0 is the earliest moment at which the first packet can have been dropped."""

    def __init__(self, target: Target, inbound: bool = True, outbound: bool = True, clients: bool = True) -> None:
        """`clients` false: only the platform's other instances are cut off, the run's own clients reach the victim."""
        if not (inbound or outbound):
            raise FaultError("isolate: neither inbound nor outbound is to be cut")
        self._target, self._cut = target, {"inbound": inbound, "outbound": outbound, "clients": clients}

    def inject(self, victims: list[Victim]) -> Effect:
        """Cut every victim off and return once packets of each have been dropped."""
        asked = time.monotonic_ns()
        pairs = list(zip(victims, instances_of(self._target, victims), strict=True))
        for _, instance in pairs:
            self._target.isolate(instance, **self._cut)
        cut = time.monotonic_ns()
        proofs = [self._bitten(victim, instance, asked) for victim, instance in pairs]
        t0 = min(proof["first_drop_after"] for proof in proofs)
        proof = {"asked": asked, "cut": cut, **self._cut, "victims": proofs}
        return Effect("isolate", victims, t0, proof)

    def revert(self, effect: Effect) -> None:
        """Let every victim's packets through again."""
        for instance in instances_of(self._target, effect.victims):
            self._target.rejoin(instance)

    def residue(self, victims: list[Victim]) -> list[str]:
        """Victims whose packets are still dropped."""
        found = zip(victims, instances_of(self._target, victims), strict=True)
        return [f"{v.instance} is still cut off" for v, instance in found if self._target.dropped(instance) is not None]

    def _bitten(self, victim: Victim, instance: Instance, asked: int) -> dict[str, Any]:
        """Poll the drop counter: the first drop lies after the last question answered with 0."""
        bracket = {"after": asked}

        def dropped() -> int:
            question = time.monotonic_ns()
            count = self._target.dropped(instance) or 0
            if not count:
                bracket["after"] = question
            return count

        try:
            count = until(dropped, FIRST_DROP_S, f"a packet of {victim.instance} is dropped", every=0.005)
        except Timeout as timeout:
            raise FaultError(f"isolate: {timeout}") from None
        return {
            "instance": victim.instance,
            "pid": victim.pid,
            "started": victim.started,
            "dropped": count,
            "first_drop_after": bracket["after"],
            "first_drop_before": time.monotonic_ns(),
        }
