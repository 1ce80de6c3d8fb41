"""What the seed decides before anything is killed: the order of experiments and each round's set, delay and choices."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import yaml

from chaosblink.faults import OF_CLUSTER, OF_NODES
from chaosblink.targets import PlatformError, Target

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
DEFAULT = "default"
NEEDS_CLUSTER = "needs a cluster"
REDIS_SETS = 3
LONGEST_DELAY_MS = 1000
"""Each round waits up to this long before it injects, so that faults do not fall in step with periodic checks."""


@dataclass(frozen=True, slots=True)
class PlannedRound:
    """One round before it is run; `seed` decides the `any` selectors, `set` the Redis set, `delay_ms` the last wait."""

    experiment: str
    round: int
    folder: str
    """Relative to the run folder."""
    seed: int
    set: int
    delay_ms: int
    command: str
    """Repeats exactly this round."""
    repeats: int | None = None
    """Number of the disturbed round whose timing this one measures again, None for a round of the plan."""


def known() -> dict[str, Path]:
    """Name and file of every experiment; those in `kubernetes/` break what only a cluster has."""
    files = [*EXPERIMENTS.glob("*.yaml"), *(EXPERIMENTS / "kubernetes").glob("*.yaml")]
    return {path.stem: path for path in sorted(files, key=lambda path: path.stem)}


def needs_cluster(name: str) -> bool:
    """Whether an experiment breaks what only a cluster has."""
    return known()[name].parent.name == "kubernetes"


def defaults() -> list[str]:
    """Experiments of a run that names none: those with the tag `default`, which together stay below 12 minutes."""
    return [name for name in known() if DEFAULT in load(name)["tags"]]


def component(experiment: dict) -> str:
    """The component under fault: an experiment's first tag."""
    return str(experiment["tags"][0])


def seconds(experiment: dict) -> int:
    """How long a round usually takes, from the experiment's own `extensions`; 0 when it does not say."""
    said = [each for each in experiment.get("extensions", []) if each.get("name") == "chaosblink"]
    return int(said[0]["round_takes_s"]) if said else 0


def faults(experiment: dict) -> set[str]:
    """Names of the faults an experiment's method injects: `node_kill` is `node-kill`, `kill_mid_batch` is `kill`."""
    providers = [step["provider"] for step in experiment["method"] if step["type"] == "action"]
    actions = {p["func"] for p in providers if p["module"] == "chaosblink.actions"} - {"revert"}
    whole = (*OF_NODES, *OF_CLUSTER)
    return {name if (name := action.replace("_", "-")) in whole else action.partition("_")[0] for action in actions}


def takes_a_node(experiment: dict) -> bool:
    """Whether it breaks a whole node, and with it whatever runs there."""
    return bool(faults(experiment) & {*OF_NODES, "drain"})


def not_run(experiments: list[str], target: Target) -> dict[str, str]:
    """Experiments that need a fault this platform does not allow, each with the capability that is missing."""
    refused = {name: _refused(name, target) for name in experiments}
    return {name: "; ".join(filter(None, why)) for name, why in refused.items() if any(why)}


def _refused(name: str, target: Target) -> list[str]:
    content = load(name)
    if needs_cluster(name) and target.kind != "kubernetes":
        return [NEEDS_CLUSTER]
    return [target.cannot(fault) for fault in sorted(faults(content))]


def load(name: str) -> dict:
    """The experiment's file as data; PlatformError names the known ones when there is none of this name."""
    files = known()
    if name not in files:
        raise PlatformError(f"unknown experiment {name!r}; there are {', '.join(files)}")
    return yaml.safe_load(files[name].read_text())


def make(experiments: list[str], rounds: int, seed: int, only_round: int | None = None) -> list[PlannedRound]:
    """The plan: all rounds of an experiment together, experiments in an order drawn from the seed.

    The same arguments give the same plan. Each round draws from its own generator, so that leaving out an experiment
    or asking for more rounds changes nothing in the others.
    """
    order = sorted(experiments)
    random.Random(seed).shuffle(order)
    wanted = range(1, rounds + 1) if only_round is None else [only_round]
    return [_planned(experiment, number, seed) for experiment in order for number in wanted]


def _planned(experiment: str, number: int, seed: int) -> PlannedRound:
    first_set = random.Random(f"{seed}/{experiment}").randrange(REDIS_SETS)
    chance = random.Random(f"{seed}/{experiment}/{number}")
    return PlannedRound(
        experiment=experiment,
        round=number,
        folder=f"{experiment}/round-{number:02d}",
        seed=chance.randrange(2**31),
        set=(first_set + number - 1) % REDIS_SETS + 1,
        delay_ms=chance.randrange(LONGEST_DELAY_MS),
        command=f"chaosblink run --experiment {experiment} --seed {seed} --round {number}",
    )


def repeat(planned: PlannedRound, number: int) -> PlannedRound:
    """The same round once more, as round `number`: same victims, same delay, a folder of its own."""
    return replace(planned, round=number, folder=f"{planned.experiment}/round-{number:02d}", repeats=planned.round)


def write(plan: list[PlannedRound], seed: int, run: Path, not_run: dict[str, str] | None = None) -> None:
    """Write plan.json into the run folder; `not_run` names experiments left out and the capability that is missing."""
    content = {"seed": seed, "rounds": [asdict(planned) for planned in plan], "not_run": not_run or {}}
    (run / "plan.json").write_text(json.dumps(content, indent=1))
