"""What a person does with a platform in a cluster: bring it up, look at it, run the suites beside it, take it away."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import click

from chaosblink.experiments import run_folder
from chaosblink.node_driver.beside import driver as node_driver
from chaosblink.node_driver.beside import undo_left
from chaosblink.node_driver.nodes import state_name
from chaosblink.targets import TARGET, PlatformError
from chaosblink.targets.kubernetes import names, values
from chaosblink.targets.kubernetes.allowing import allow
from chaosblink.targets.kubernetes.api import Api, Away, connect, context_of
from chaosblink.targets.kubernetes.fetch import reader
from chaosblink.targets.kubernetes.job import Job
from chaosblink.targets.kubernetes.opening import command_options, guard
from chaosblink.targets.kubernetes.target import state_of
from chaosblink.targets.local.bring_up import undisturbed
from chaosblink.targets.local.layout import ROOT
from chaosblink.targets.local.target import state_root

Progress = Callable[[str], None]
REDUNDANT_WITHIN_S = 240


def elsewhere() -> bool:
    """Whether the platform that is meant runs in a cluster and this process does not."""
    return os.environ.get(TARGET, "local") != "local" and not names.inside()


def up(name: str, overrides: tuple[str, ...], progress: Progress) -> None:
    """A kind cluster with its images, the release, the agents; returns when every component is redundant."""
    if os.environ.get(TARGET) != "kind":
        raise PlatformError(
            "only kind clusters are made here; on a cluster of yours: "
            "scripts/deploy-umbrella.sh install --context NAME, then chaosblink allow --context NAME"
        )
    if not _exists(name):
        _script("create-kind-cluster.sh", "--name", name)
        progress(f"cluster kind-{name} is there")
        _script("../platform/images/build.sh", "--name", name)
    api = connect(name)
    _install(api, overrides, progress)
    allow(api, values.suite_image(values.of_release(api)), command_options(name), "", progress)
    code = there(name, ["status", "--within", str(REDUNDANT_WITHIN_S)])
    if code:
        raise PlatformError(f"the platform in cluster kind-{name} is not redundant; `chaosblink status --target kind`")


def down(name: str) -> None:
    """Remove the kind cluster and all in it, and what this machine kept of it."""
    if os.environ.get(TARGET) != "kind":
        raise PlatformError(
            "only kind clusters are removed here; on a cluster of yours: "
            "chaosblink disallow --context NAME, then scripts/deploy-umbrella.sh uninstall --context NAME"
        )
    _script("delete-kind-cluster.sh", "--name", name)
    for kept in (state_of(f"kind-{name}"), state_root() / state_name(name)):
        shutil.rmtree(kept, ignore_errors=True)


def there(name: str, arguments: list[str]) -> int:
    """Exit code of a `chaosblink` command that is carried out beside the platform, its output in this terminal."""
    rolls_back = arguments[0] == "rollback"
    if rolls_back:
        for line in undo_left(context_of(name)):
            click.echo(line)
    api = connect(name)
    guard(api)
    with node_driver(api.cluster, click.echo) if rolls_back else nullcontext("") as host:
        job = Job(api, arguments, command_options(name), host=host)
        try:
            return job.run(click.echo)
        finally:
            with undisturbed():
                job.remove()


def run(
    name: str, command: list[str], overrides: tuple[str, ...], keep: bool, progress: Progress
) -> tuple[int, list[Path]]:
    """Run the suites beside the platform and bring the run folder back; a kind cluster that is not there is made.

    `command` is `run` or `conformance` and its options. Its exit code, and the folder if there was one: what a Job that
    died has left is brought back too, and judged as it is.
    """
    ours = os.environ.get(TARGET) == "kind" and not _exists(name)
    if ours:
        up(name, overrides, progress)
    elif overrides:
        raise PlatformError("--set changes a platform being brought up, and this one is up; `chaosblink down` first")
    try:
        api = connect(name)
        guard(api)
        with node_driver(api.cluster, progress) if command[0] == "run" else nullcontext("") as host:
            return _run(api, name, command, progress, host)
    finally:
        if ours and not keep:
            with undisturbed():
                down(name)
            progress(f"cluster kind-{name} removed")


def load(name: str, workers: str, mix: str, progress: Progress) -> None:
    """Drive the same logins with each of these numbers of Locust pods; PlatformError where there is no cluster."""
    from chaosblink.load.workers import Load, drive

    if not elsewhere():
        raise PlatformError("--workers are pods and need a cluster: --target kind, or --context NAME")
    counts = workers.split(",")
    if not all(each.isdecimal() and int(each) for each in counts):
        raise PlatformError(f"--workers {workers}: numbers of pods, as in 1,2,4")
    api = connect(name)
    guard(api)
    folder = run_folder.place(f"{os.environ.get(TARGET, 'kubernetes')}-load")
    file = drive(api, command_options(name), [int(each) for each in counts], Load(mix=mix), folder, progress)
    click.echo(str(file))


def _run(api: Api, name: str, command: list[str], progress: Progress, host: str) -> tuple[int, list[Path]]:
    kind = os.environ.get(TARGET, "kubernetes")
    what = "" if command[0] == "run" else f"-{command[0]}"
    folder = f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{kind}{what}"
    job = Job(api, command, command_options(name), folder=folder, host=host)
    progress(f"Job {job.name} in cluster {api.cluster}")
    try:
        code = job.run(click.echo)
    except KeyboardInterrupt:
        with undisturbed():
            progress("stopping the Job; it undoes its faults first")
            job.stop()
        raise
    finally:
        with undisturbed():
            brought = fetch(api, job.image, [folder], progress)
            job.remove()
    for place in brought:
        _conclude(place)
    return code, brought


def fetch(api: Api, image: str, wanted: list[str] | None, progress: Progress) -> list[Path]:
    """Bring run folders back into reports/runs, by default all that lie on the volume; where they are now."""
    with reader(api, image) as found:
        there_are = found.runs()
        chosen = there_are if wanted is None else [run for run in wanted if run in there_are]
        brought = [found.bring(run, run_folder.RUNS) for run in chosen]
    for place in brought:
        progress(f"run folder: {place}")
    return brought


def _conclude(folder: Path) -> None:
    """The report is rendered where the run was; one that did not get so far is judged here, from its folder alone."""
    from chaosblink.report.publish import print_table, publish

    page = folder / "index.html"
    if not page.exists():
        page = publish(folder)
        print_table(folder)
    click.echo(f"report: {page}")


def _exists(name: str) -> bool:
    try:
        api = connect(name)
        api.uid()
    except Away as error:
        if os.environ.get(TARGET) != "kind":
            raise
        raise Away(f"{error}; `chaosblink down --target kind` removes what is left of it") from None
    except PlatformError:
        return False
    return True


def _install(api: Api, overrides: tuple[str, ...], progress: Progress) -> None:
    from chaosblink.targets.kubernetes.deploy import kept_images
    from chaosblink.targets.kubernetes.release import Release
    from chaosblink.targets.kubernetes.release import values as chosen

    release = Release(api.cluster, progress)
    if release.helm_status() == "deployed":
        progress("the platform is deployed already")
        return
    release.install(chosen(api.cluster, overrides, kept_images(api.cluster)))


def _script(path: str, *arguments: str) -> None:
    """Run a script of the owner's; PlatformError when it fails (it has said why)."""
    done = subprocess.run([str(ROOT / "scripts" / path), *arguments], check=False)
    if done.returncode:
        raise PlatformError(f"{path.rsplit('/', 1)[-1]} {' '.join(arguments)} ended with {done.returncode}")
