"""`python -m chaosblink.coverage`: docs/coverage.md, made from the suites, the experiments and the promises."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import yaml

from chaosblink import promises

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("local", "kubernetes")
NOTHING = "none yet"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the owner's document, the folders of `suites/` that test it and the components faults are put on."""

    title: str
    suites: tuple[str, ...]
    components: tuple[str, ...] = ()


ROWS = (
    Row("ZITADEL: 2 nodes or more behind a load balancer", ("identity",), ("identity",)),
    Row("Event streaming with priority queues", ("eventrelay",), ("eventrelay",)),
    Row("Vault: 3 nodes or more, Raft, policies", ("vault",), ("vault",)),
    Row("Secrets by file (injector pattern)", ("secrets",)),
    Row("PostgreSQL: 3 replicas, streaming", ("postgresql",), ("postgresql",)),
    Row("PgPool: 2", ("pgpool",), ("pgpool",)),
    Row("Redis: 3 masters, 3 replicas", ("redis",), ("redis",)),
    Row("Redis: 3 Sentinels", ("sentinel",), ("sentinel",)),
    Row("Ingress controller, TLS", ("edge",), ("edge",)),
    Row("Kubernetes: budgets, placement, probes, network policies, rights", ("kubernetes",)),
    Row("Mailu", ("mail",), ("mail",)),
    Row("Longhorn", ("storage",), ("storage",)),
    Row("Custom apps: video processing", ("videoapp",), ("videoapp",)),
    Row("Values (outage bounds of the live configuration)", ("bounds",)),
    Row("Metrics and alerts", ("monitoring",), ("monitoring",)),
    Row("Procedures: deploy, back up, restore, scale", ("backup", "procedures"), ("backup",)),
    Row("Where the document contradicts itself (docs/findings.md)", ("findings",)),
)


def text(root: Path = ROOT) -> str:
    """The whole page."""
    known, promised = {target: _experiments(root, target) for target in TARGETS}, promises.load()
    rows = [_line(row, root, known, promised) for row in ROWS]
    heads = ["row of the owner's document", "conformance, local", "conformance, Kubernetes", "chaos, local"]
    heads += ["chaos, Kubernetes", "promises"]
    lines = [
        "# What is covered",
        "",
        "The owner's rows against what exists here: conformance tests (how many can run on a target), experiments that "
        "put a fault on the row's components, and promises those experiments are judged by. It says what there is, not "
        "what a run found: that is in the report of each run. Experiments in `experiments/kubernetes/` break what only "
        "a cluster has; all others are the same files on both targets. What was really run on a cluster so far stands "
        "in the README's limits.",
        "",
        "Made by `python -m chaosblink.coverage >docs/coverage.md`; `tests/test_coverage.py` keeps it true.",
        "",
        _cells(heads),
        _cells(["---"] * len(heads)),
        *(_cells(row) for row in rows),
        "",
        *_beyond(root, known["kubernetes"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


Experiments = dict[str, list[str]]
"""Tags of experiments by their names."""


def _line(row: Row, root: Path, known: dict[str, Experiments], promised: list[promises.Promise]) -> list[str]:
    counts = [sum(tests(root, suite).count(target) for suite in row.suites) for target in TARGETS]
    chosen = {target: [name for name, tags in known[target].items() if _of(row, tags)] for target in TARGETS}
    judged = [p for p in promised if set(p.experiments) & {name for names in chosen.values() for name in names}]
    return [
        row.title,
        *[f"{count} tests" if count else NOTHING for count in counts],
        *[", ".join(chosen[target]) or NOTHING for target in TARGETS],
        str(len(judged)) if judged else NOTHING,
    ]


def _of(row: Row, tags: list[str]) -> bool:
    return bool(set(row.components) & set(tags))


def _experiments(root: Path, target: str) -> Experiments:
    """Tags of every experiment that can run on a target, by name."""
    files = sorted((root / "experiments").glob("*.yaml"))
    if target == "kubernetes":
        files += sorted((root / "experiments" / "kubernetes").glob("*.yaml"))
    return {path.stem: list(yaml.safe_load(path.read_text()).get("tags", [])) for path in files}


class Tests(list[tuple[str, tuple[str, ...]]]):
    """Names of test functions and the targets each can run on."""

    def count(self, target: object) -> int:
        """How many can run on a target."""
        return sum(target in targets for _, targets in self)


def tests(root: Path, suite: str) -> Tests:
    """The conformance tests of one folder of `suites/`; parametrised ones count once."""
    folder = root / "suites" / suite
    pattern = "test_*.py" if suite in ("findings", "procedures") else "test_conformance*.py"
    found = Tests()
    for path in sorted(folder.glob(pattern)):
        module = ast.parse(path.read_text())
        whole = [one.value for one in module.body if isinstance(one, ast.Assign) and _is_mark(one)]
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found.append((f"{path.name}::{node.name}", _targets([*node.decorator_list, *whole])))
    return found


def _is_mark(assigned: ast.Assign) -> bool:
    return [ast.unparse(name) for name in assigned.targets] == ["pytestmark"]


def _targets(marks: list[ast.expr]) -> tuple[str, ...]:
    """`pytest.mark.only_on("kubernetes", why)`, of the test or of its whole file, leaves one target."""
    for mark in marks:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.only_on":
            return (str(ast.literal_eval(mark.args[0])),)
    return TARGETS


def _beyond(root: Path, known: Experiments) -> list[str]:
    """Suites and experiments that belong to no row: nothing is left out silently."""
    folders = {path.parent.name for path in (root / "suites").glob("*/test_*.py")}
    suites = sorted(name for name in folders - {suite for row in ROWS for suite in row.suites} if tests(root, name))
    loose = sorted(name for name in known if not any(_of(row, known[name]) for row in ROWS))
    lines = [f"Suites beyond the document: {', '.join(suites)}."] if suites else []
    return lines + ([f"Experiments on no single row: {', '.join(loose)}."] if loose else [])


def _cells(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(text(), end="")
