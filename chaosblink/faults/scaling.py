"""A Deployment's number of pods: recorded before a fault changes it, given back afterwards, what differs from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from chaosblink.faults.effect import FaultError, Victim
from chaosblink.targets.kubernetes import changes
from chaosblink.targets.kubernetes.api import Api, Json
from chaosblink.targets.kubernetes.workloads import ready, workload
from chaosblink.waiting import until

SCALED_S = 90.0
"""A pod is given 30 s to end; a new one is scheduled, reads its secrets and is asked whether it serves."""
PLACE = "scaled"
OVER = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A Deployment as it was before the fault: the pods it wanted, and the UID of each by its name."""

    namespace: str
    name: str
    replicas: int
    pods: dict[str, str]


def record(api: Api, namespace: str, name: str) -> Recorded:
    """The Deployment now; FaultError when it is not whole, since somebody else is changing it then.

    To be asked before the fault is written down: undoing it would give back a number nobody meant.
    """
    found = changes.workload(api, "Deployment", namespace, name)
    progress = workload(found)
    pods = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in serving(pods_of(api, found))}
    if not progress.whole or len(pods) != progress.wanted:
        raise FaultError(f"{name} has {len(pods)} of {progress.wanted} pods ready: somebody else is changing it")
    return Recorded(namespace, name, progress.wanted, pods)


def noted(victims: list[Victim], recorded: Recorded) -> list[Victim]:
    """The victims with what was recorded in their places, so that the journal holds it."""
    return [replace(victim, place={**victim.place, PLACE: asdict(recorded)}) for victim in victims]


def recorded_of(victims: list[Victim]) -> Recorded:
    """What `noted` wrote down."""
    return Recorded(**victims[0].place[PLACE])


def pods_of(api: Api, deployment: Json) -> list[Json]:
    """The Deployment's pods, those that are ending too, and none that is over."""
    labels = deployment["spec"]["selector"]["matchLabels"].items()
    selector = ",".join(f"{key}={value}" for key, value in labels)
    found = api.pods(deployment["metadata"]["namespace"], selector)
    return [pod for pod in found if pod["status"].get("phase") not in OVER]


def serving(pods: list[Json]) -> list[Json]:
    """Those that are ready and that nobody has asked to end."""
    return [pod for pod in pods if ready(pod) and not ending(pod)]


def ending(pod: Json) -> bool:
    """Whether the pod was asked to end."""
    return "deletionTimestamp" in pod["metadata"]


def give_back(api: Api, recorded: Recorded) -> None:
    """Give the Deployment its number again and return once exactly so many pods are there, all ready.

    Timeout when they are not within 90 s.
    """
    changes.scale(api, recorded.namespace, recorded.name, recorded.replicas)
    what = f"{recorded.name} has its {recorded.replicas} pods again"
    until(lambda: not left(api, recorded), SCALED_S, what, every=0.2)


def left(api: Api, recorded: Recorded) -> list[str]:
    """What differs from the record: the number wanted, the pods that serve, and pods that have still to end."""
    found = changes.workload(api, "Deployment", recorded.namespace, recorded.name)
    wanted, pods = found["spec"].get("replicas", 1), pods_of(api, found)
    lines = [f"the old pod {pod['metadata']['name']} is still ending" for pod in pods if ending(pod)]
    if wanted != recorded.replicas:
        lines.append(f"{recorded.name} is to have {wanted} pods, not {recorded.replicas}")
    if (serve := len(serving(pods))) != recorded.replicas:
        lines.append(f"{recorded.name} has {serve} pods ready, not {recorded.replicas}")
    return lines
