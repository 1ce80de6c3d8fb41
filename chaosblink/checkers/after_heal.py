"""Once a fault that was held is taken away, the paths it cut off are back within their bound."""

from __future__ import annotations

from collections.abc import Sequence

from chaosblink.checkers import outage
from chaosblink.checkers.coverage import too_thin
from chaosblink.checkers.finding import Finding, unknown
from chaosblink.checkers.rounds import Round

NEEDS = outage.NEEDS
TIMING = True


def check(recorded: Round, bound: float, paths: Sequence[str]) -> Finding:
    """Every one of `paths` is back within `bound` ms of the fault's end; 0 for one that was back before."""
    lacking = recorded.lacks(*NEEDS)
    if lacking or recorded.t0 is None:
        return unknown(lacking or "the timeline has no `bitten` event: t0 is unknown")
    healed = recorded.reverted
    if healed is None:
        return unknown("the timeline has no `reverted` event: nobody knows when the fault ended")
    return outage.worst([_judge(recorded, recorded.named(path), healed, bound) for path in paths])


def _judge(recorded: Round, path: str, healed: int, bound: float) -> Finding:
    found = outage.outage(recorded.on(path), healed, path)
    if found.ms is None:
        certain = found.at_least_ms > bound
        return Finding("fail" if certain else "unknown", None, f"{found.why} (at least {found.at_least_ms:g} ms)")
    if thin := too_thin(recorded, path, found.recovered_at):
        return unknown(thin)
    if found.ms > bound:
        return Finding("fail", found.ms, f"{path} came back {found.ms:g} ms after the fault, above {bound:g} ms")
    return Finding("pass", found.ms, f"{path} was back {found.ms:g} ms after the fault had ended")
