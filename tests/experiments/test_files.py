"""Every experiment's file is valid for the Chaos Toolkit, is judged by promises, and each of them by a test."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from chaoslib.experiment import ensure_experiment_is_valid

from chaosblink import components, faults, promises
from chaosblink.experiments import plan
from chaosblink.faults.by_api import WITHOUT
from chaosblink.main_job import Choices, experiments_table, run_suites
from chaosblink.selectors import CONTROL_PLANE, PATTERN
from chaosblink.targets import PlatformError
from chaosblink.targets.local.layout import Layout, load_values
from chaosblink.targets.local.target import LocalTarget

SUITES = Path(__file__).parents[2] / "suites"


def suites() -> dict[str, set[str]]:
    """Experiment and the promises that its suite's tests name, those of the class it is derived from included."""
    found: dict[str, set[str]] = {}
    for path in SUITES.rglob("test_*.py"):
        classes = {node.name: node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)}
        for node in classes.values():
            names = [n.value.value for n in node.body if isinstance(n, ast.Assign) and _is_experiment(n)]  # type: ignore[attr-defined]
            derived_from = [classes[base.id] for base in node.bases if isinstance(base, ast.Name)]
            for name in names:
                for each in (node, *derived_from):
                    found.setdefault(name, set()).update(_promises(each))
    return found


def _promises(suite: ast.ClassDef) -> list[str]:
    calls = [n for n in ast.walk(suite) if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "keeps"]
    return [call.args[0].value for call in calls]  # type: ignore[attr-defined]


def _is_experiment(node: ast.Assign) -> bool:
    return [getattr(target, "id", "") for target in node.targets] == ["experiment"]


def steps(name: str) -> list[dict[str, Any]]:
    return list(plan.load(name)["method"])


@pytest.mark.parametrize("name", sorted(plan.known()))
def test_the_toolkit_accepts_it(name: str) -> None:
    ensure_experiment_is_valid(plan.load(name))


@pytest.mark.parametrize("name", sorted(plan.known()))
def test_it_has_what_a_round_needs(name: str) -> None:
    content = plan.load(name)
    assert plan.component(content) in components.ALL
    assert plan.seconds(content) > 0
    assert content["runtime"]["rollbacks"]["strategy"] == "always"
    assert [control["provider"]["module"] for control in content["controls"]] == ["chaosblink.controls"]
    assert content["rollbacks"][-1]["provider"]["func"] == "revert"
    assert plan.faults(content) <= {*faults.NAMES, *faults.OF_NODES, *faults.OF_CLUSTER}
    assert plan.faults(content)


@pytest.mark.parametrize("name", sorted(plan.known()))
def test_its_victims_are_named_by_role(name: str) -> None:
    victims = [
        s["provider"]["arguments"]["victim"] for s in steps(name) if "victim" in s["provider"].get("arguments", {})
    ]
    if victims == [CONTROL_PLANE]:
        return
    named = [part for victim in victims for part in victim.replace(WITHOUT, ", ").split(", ")]
    assert all(PATTERN.fullmatch(part.replace("${set}", "2")) for part in named)
    parts = [PATTERN.fullmatch(victim.partition(WITHOUT)[0].replace("${set}", "2")) for victim in victims]
    assert {part["component"] for part in parts if part} == {plan.component(plan.load(name))}


@pytest.mark.parametrize("name", sorted(plan.known()))
def test_its_promises_and_its_suite_are_the_same(name: str) -> None:
    judged = {promise.id for promise in promises.load() if name in promise.experiments}
    assert judged == suites()[name]


def test_every_suite_and_every_promise_name_an_experiment_that_is_there() -> None:
    assert set(suites()) == set(plan.known())
    assert {name for promise in promises.load() for name in promise.experiments} <= set(plan.known())


def test_the_default_experiments_are_the_four_of_the_main_job() -> None:
    four = ["identity-node-kill", "postgresql-primary-kill", "redis-master-kill", "vault-leader-kill"]
    assert plan.defaults() == four


def test_the_list_tells_each_experiment_whether_it_is_default_and_how_long_it_takes() -> None:
    lines = experiments_table().splitlines()
    assert len(lines) == 1 + len(plan.known())
    [vault] = [line for line in lines if line.startswith("vault-leader-kill ")]
    assert "yes" in vault
    assert "45 s" in vault
    assert "The Vault leader is killed" in vault
    [edge] = [line for line in lines if line.startswith("edge-kill ")]
    assert "yes" not in edge


def test_a_fault_the_platform_does_not_allow_is_not_run_and_says_why() -> None:
    target = object.__new__(LocalTarget)
    target.layout = Layout("x", load_values(), "127.18.0", namespaces=False)
    in_clusters = {name for name in plan.known() if plan.needs_cluster(name)}
    assert in_clusters
    assert set(plan.not_run(sorted(plan.known()), target)) == in_clusters | {
        "postgresql-primary-isolate",
        "redis-master-isolate",
        "vault-leader-isolate",
        *in_clusters,
    }
    assert "loopback" in plan.not_run(["vault-leader-isolate"], target)["vault-leader-isolate"]
    target.layout = Layout("x", load_values(), "198.18.0", namespaces=True)
    assert set(plan.not_run(sorted(plan.known()), target)) == in_clusters
    assert all("cluster" in why for why in plan.not_run(sorted(in_clusters), target).values())


@pytest.mark.parametrize("name", sorted(plan.known()))
def test_faults_that_need_a_cluster_are_those_of_the_folder_that_says_so(name: str) -> None:
    content = plan.load(name)
    assert bool(plan.faults(content) & {*faults.OF_CLUSTER, *faults.OF_NODES}) == plan.needs_cluster(name)
    assert ("kubernetes" in content["tags"]) == plan.needs_cluster(name)


def test_an_experiment_of_clusters_is_refused_locally_before_anything_is_brought_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CHAOSBLINK_TARGET", raising=False)
    with pytest.raises(PlatformError, match=r"^vault-leader-pod-delete needs a cluster"):
        run_suites("blinkchamber", Choices(("vault-leader-pod-delete",)), False, (), print)
