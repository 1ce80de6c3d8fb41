"""`chaosblink conformance`: the conformance suites in parallel on a platform that is up (or brought up for it)."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import pytest

from chaosblink import cluster_life
from chaosblink.conformance.exposure import writings
from chaosblink.conformance.lock import shared
from chaosblink.conformance.verdict_list import VerdictList, by_pytest
from chaosblink.experiments import run_folder
from chaosblink.experiments.session import versions
from chaosblink.main_job import Interruption
from chaosblink.platform_life import at_hand
from chaosblink.report.publish import publish
from chaosblink.targets import PlatformError, Target
from chaosblink.targets.local.layout import ROOT
from chaosblink.verdicts import CONFORMANCE, Verdict

WORKERS = 2
"""More do not help: the platform's servers and the tests share the machine."""
PATTERNS = ("*/test_conformance*.py", "findings/test_*.py")


def run_conformance(
    name: str,
    names: tuple[str, ...],
    into: Path | None,
    workers: int | None,
    keep: bool,
    overrides: tuple[str, ...],
    progress: Callable[[str], None],
) -> int:
    """Exit code: 0 every verdict is pass or not run, 1 one is not, 2 no run was possible, 130 interrupted.

    `names` are folders of `suites/` (all when empty). `into` is the folder of a chaos run whose report shall show the
    verdicts as well; without it a new folder is made.
    """
    chosen, workers = suites(names), WORKERS if workers is None else workers
    if cluster_life.elsewhere():
        command = ["conformance", f"--workers={workers}", *(f"--suite={each}" for each in names)]
        code, folders = cluster_life.run(name, command, overrides, keep, progress)
        if into:
            for folder in folders:
                _add(folder, into)
        return code
    with at_hand(name, overrides, keep, progress) as target, shared(target), _whole_cluster(target):
        return carry_out(target, "conformance", into, workers, chosen)


def _whole_cluster(target: Target) -> AbstractContextManager[None]:
    """Among runs that share no machine only the cluster's lease keeps one from the other."""
    return target.hold() if target.kind == "kubernetes" else nullcontext()


def _add(folder: Path, into: Path) -> None:
    """Show a folder's verdicts in the report of a chaos run as well."""
    if (folder / CONFORMANCE).exists():
        (into / CONFORMANCE).write_bytes((folder / CONFORMANCE).read_bytes())
    click.echo(f"report: {publish(into)}")


def suites(names: tuple[str, ...] = ()) -> list[Path]:
    """Every file with conformance tests, in order of path; PlatformError for a folder that has none."""
    found = sorted(path for pattern in PATTERNS for path in (ROOT / "suites").glob(pattern))
    known = sorted({path.parent.name for path in found})
    for name in names:
        if name not in known:
            raise PlatformError(f"no conformance suite {name!r}; there are {', '.join(known)}")
    return [path for path in found if not names or path.parent.name in names]


def carry_out(
    target: Target, kind: str, into: Path | None, workers: int, files: list[Path], more: Sequence[str] = ()
) -> int:
    """Run these test files on a platform that is held, and make verdicts and a report of what they say.

    `kind` (`conformance`, `procedures`) names the folder, `more` are further options of pytest. Exit code: 0 every
    verdict is pass or not run, 1 one is not, 130 interrupted.
    """
    began = time.monotonic()
    folder = into or _new_folder(target, kind)
    listed, interruption = VerdictList(), Interruption()
    options = [f"--rootdir={ROOT}", f"--platform={target.name}", "-n", str(workers), "--dist", "loadgroup"]
    # with a replacement for a worker that died, xdist's loadgroup never ends; what was not run is unknown then
    options += ["--max-worker-restart", "0"]
    options += ["-q", "-p", "no:cacheprovider", "--tb=no", "-rN", "--no-header", *more]
    code = int(pytest.main([*map(str, files), *options], plugins=[listed, interruption]))
    verdicts = listed.verdicts(writings(target), partial(_again, target))
    if interruption.seen:
        code = 130
    _write(folder, verdicts, time.monotonic() - began, new=into is None)
    page = publish(folder)
    print_summary(verdicts)
    click.echo(f"report: {page}")
    if code == 130:
        return code
    words = {verdict.verdict for verdict in verdicts}
    return 0 if "pass" in words and words <= {"pass", "not run"} and code == 0 else 1


def _again(target: Target, test: str) -> str:
    """The command that repeats a test: alone where the servers can be reached, with its suite where a Job must."""
    if target.kind == "local":
        return by_pytest(test)
    folder, name = Path(test.partition("::")[0]).parent.name, test.rpartition("::")[2].partition("[")[0]
    if folder == "procedures":
        return f"chaosblink procedures {target.options} -k {name}"
    return f"chaosblink conformance {target.options} --suite {folder}"


def print_summary(verdicts: list[Verdict]) -> None:
    """One line a component with its counts, then every verdict that is no pass, with its reason."""
    for component in dict.fromkeys(each.promise.split("/")[0] for each in verdicts):
        words = Counter(each.verdict for each in verdicts if each.promise.startswith(f"{component}/"))
        click.echo(f"{component:<12}" + ", ".join(f"{count} {word}" for word, count in words.most_common()))
    for each in sorted(verdicts, key=lambda each: each.verdict == "not run"):
        if each.verdict != "pass":
            click.echo(f"{each.verdict.upper()}: {each.promise.split('/')[0]}: {each.sentence}: {each.why}")


def _new_folder(target: Target, kind: str) -> Path:
    folder = run_folder.place(f"{target.kind}-{kind}")
    run_folder.create(target, {"seed": None, kind: True}, versions(target), folder)
    # no round was planned: without this file nobody could tell whether one is missing
    (folder / "plan.json").write_text(json.dumps({"seed": None, "rounds": []}))
    return folder


def _write(folder: Path, verdicts: list[Verdict], seconds: float, new: bool) -> None:
    text = json.dumps([asdict(verdict) for verdict in verdicts], indent=1, ensure_ascii=False)
    (folder / CONFORMANCE).write_text(text + "\n", encoding="utf-8")
    if new:
        facts = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(facts | {"duration_s": round(seconds, 1)}, indent=1))
