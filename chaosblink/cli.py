"""The command line: `chaosblink up`, `status`, `watch`, `run`, `conformance`, `load`, `doctor`, `down`, ..."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from chaosblink import __version__, completion
from chaosblink.cluster_commands import allow, disallow, fetch
from chaosblink.options import clear_errors, instance_argument, name_option, progress
from chaosblink.targets import Instance, PlatformError, Target, open_target
from chaosblink.targets.local.target import LocalTarget


def _elsewhere(name: str, *arguments: str) -> None:
    """Leave with the exit code of the same command beside the platform, where that is in a cluster."""
    from chaosblink.cluster_life import elsewhere, there

    if elsewhere():
        sys.exit(there(name, [*arguments]))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chaosblink")
def main() -> None:
    """Kill BlinkChamber's leaders under login load and prove with numbers what held.

    \b
    A first session:
      chaosblink up                       bring a local platform up (about half a minute)
      chaosblink status                   who is leader, who is healthy
      chaosblink run --rounds 1           kill every leader once, write a report
      chaosblink down                     remove it
    """


@main.command()
@name_option
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the chart.")
@click.option(
    "--network",
    type=click.Choice(["auto", "namespaces", "loopback"]),
    default="auto",
    show_default=True,
    help="A network namespace an instance (root), or loopback addresses (no partitions).",
)
@clear_errors
def up(name: str, overrides: tuple[str, ...], network: str) -> None:
    """Bring the platform up from nothing and wait until every part is healthy and redundant."""
    from chaosblink import cluster_life
    from chaosblink.platform_life import bring_up

    if cluster_life.elsewhere():
        cluster_life.up(name, overrides, progress())
        return
    bring_up(name, overrides, network, progress())


@main.command()
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")
@click.option("--within", default=0.0, metavar="SECONDS", help="Wait for so long until every component is redundant.")
@clear_errors
def status(name: str, as_json: bool, within: float) -> None:
    """Show address, role and health of every instance, asked of the servers themselves.

    Exit code 0 when every component is redundant, 1 when one is not, 2 when there is no platform.
    """
    from chaosblink.platform_life import render_status, survey

    _elsewhere(name, "status", f"--within={within:g}", *(["--json"] if as_json else []))
    rows, gaps = survey(open_target(name), within)
    click.echo(
        json.dumps({"instances": rows, "not_redundant": gaps}, indent=1) if as_json else render_status(rows, gaps)
    )
    sys.exit(1 if gaps else 0)


@main.command()
@name_option
@clear_errors
def down(name: str) -> None:
    """Remove the platform, its processes, its network and its state; also one that is half dead."""
    from chaosblink import cluster_life
    from chaosblink.targets.local.bring_up import down as remove

    cluster_life.down(name) if cluster_life.elsewhere() else remove(name)
    click.echo(f"platform {name} removed")


@main.command()
@name_option
@instance_argument
@click.option("--lines", default=50, show_default=True, help="How many of the last lines.")
@clear_errors
def logs(name: str, instance: str, lines: int) -> None:
    """Print an instance's last log lines."""
    target = open_target(name)
    click.echo("\n".join(target.log(_instance(target, instance)).splitlines()[-lines:]))


@main.command()
@name_option
@instance_argument
@clear_errors
def stop(name: str, instance: str) -> None:
    """Shut one instance down and keep it down until `start`."""
    target = open_target(name)
    target.stop(_instance(target, instance))


@main.command()
@name_option
@instance_argument
@clear_errors
def start(name: str, instance: str) -> None:
    """Let one instance run again."""
    target = open_target(name)
    target.start(_instance(target, instance))


@main.command(name="exec", context_settings={"ignore_unknown_options": True})
@name_option
@instance_argument
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@clear_errors
def execute(name: str, instance: str, command: tuple[str, ...]) -> None:
    """Run a command where an instance runs: chaosblink exec vault-0 vault status."""
    target = open_target(name)
    if not isinstance(target, LocalTarget):
        raise PlatformError(
            f"in a cluster that is kubectl's: kubectl exec -n NAMESPACE {instance} -- {' '.join(command)}"
        )
    line, variables = target.inside(_instance(target, instance), list(command))
    sys.exit(subprocess.run(line, env=variables, check=False).returncode)


def _instance(target: Target, name: str) -> Instance:
    found = {each.name: each for each in target.instances()}
    if name not in found:
        raise PlatformError(f"no instance {name!r}; there are {', '.join(found)}")
    return found[name]


@main.command()
@name_option
@clear_errors
def rollback(name: str) -> None:
    """Undo every fault a run left behind, and prove that it is gone."""
    from chaosblink.faults.undo import rollback as undo

    _elsewhere(name, "rollback")
    undone = undo(open_target(name))
    click.echo("\n".join(undone) or "no fault was left")


@main.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@clear_errors
def report(run: Path) -> None:
    """Judge a run again and render its report, from the run folder alone; of a search for the knee, its page."""
    from chaosblink.report import load_page
    from chaosblink.report.publish import publish

    if not (run / load_page.KNEE).exists():
        click.echo(publish(run))
        return
    try:
        click.echo(load_page.render(run))
    except ValueError as error:
        raise PlatformError(f"{run / load_page.KNEE} cannot be read: {error}") from None


@main.command()
@name_option
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.experiments,
    help="Run only this one (repeatable).",
)
@click.option("--all", "everything", is_flag=True, help="Run every experiment, not only the default ones.")
@click.option("--list", "listing", is_flag=True, help="List the experiments and run nothing.")
@click.option("--rounds", default=None, type=click.IntRange(1), help="Rounds of each experiment [default: 3].")
@click.option("--round", "only_round", default=None, type=click.IntRange(1), help="Repeat just this round of the plan.")
@click.option("--seed", default=None, type=int, help="Decides everything random; a new one is drawn and printed.")
@click.option("--weakened", is_flag=True, help="Inject although the steady state does not hold, to see it turn red.")
@click.option("--keep", is_flag=True, help="Leave the platform up afterwards.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the chart.")
@clear_errors
def run(name: str, listing: bool, keep: bool, overrides: tuple[str, ...], **choices: Any) -> None:
    """Run the chaos suites on the platform and write the report.

    Without --experiment and --all, the default experiments are run (`--list` shows which).

    A platform that is up is used and left as it is; otherwise one is brought up and removed at the end.
    Exit code 0 when every promise was kept, 1 when one was broken or could not be judged, 2 when no run was possible.
    """
    from chaosblink.main_job import Choices, experiments_table, run_suites

    if listing:
        click.echo(experiments_table())
        return
    if choices["everything"] and choices["experiments"]:
        raise PlatformError("--all runs every experiment and --experiment names one: give one of the two")
    sys.exit(run_suites(name, Choices(**choices), keep, overrides, progress()))


@main.command()
@name_option
@click.option("--suite", "names", multiple=True, metavar="NAME", help="Run only this one of suites/ (repeatable).")
@click.option(
    "--into",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of a chaos run: its report then shows these verdicts as well [default: a new folder].",
)
@click.option("-n", "--workers", default=None, type=click.IntRange(0), help="Tests at the same time [default: 2].")
@click.option("--keep", is_flag=True, help="Leave a platform that was brought up for this run.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value of the chart.")
@clear_errors
def conformance(name: str, **options: Any) -> None:
    """Try on a healthy platform what it must be: quorum, roles, policies, separation, TLS, secrets, live bounds.

    A platform that is up is used and left as it is; otherwise one is brought up and removed at the end.
    Exit code 0 when everything holds (or is not run here), 1 when something does not, 2 when no run was possible.
    """
    from chaosblink.conformance.job import run_conformance

    sys.exit(run_conformance(name, progress=progress(), **options))


@main.command()
@name_option
@click.option("-k", "only", default="", metavar="EXPRESSION", help="Only those whose names match (pytest's -k).")
@clear_errors
def procedures(name: str, only: str) -> None:
    """Carry out the owner's commands on a cluster, from here and with your own rights: status, backup, restore, scale.

    Needs kubectl. Exit code 0 when each did what it should (or is not run here), 1 when one did not, 2 when no run was
    possible.
    """
    from chaosblink.procedures.job import run_procedures

    sys.exit(run_procedures(name, only))


@main.command()
@name_option
@click.option("--seconds", default=None, type=click.FloatRange(min=0, min_open=True), help="Stop by itself after that.")
@clear_errors
def watch(name: str, seconds: float | None) -> None:
    """Show roles and login success live until Ctrl-C: a table on a terminal, a line a change in a pipe."""
    from rich.console import Console

    from chaosblink.watch import watch as show

    show(open_target(name), seconds, Console())


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")
def doctor(as_json: bool) -> None:
    """Say what this machine can and cannot run, and why.

    Exit code 0 when a local platform can be brought up, else 1.
    """
    from chaosblink import doctor as examination

    checks = examination.examine()
    click.echo(json.dumps(examination.as_data(checks), indent=1) if as_json else examination.render(checks))
    sys.exit(1 if examination.possible(checks)[examination.LOCAL] else 0)


@main.command(name="completion")
@click.argument("shell", type=click.Choice(completion.SHELLS))
def complete(shell: str) -> None:
    """Print the completion script of a shell: source <(chaosblink completion bash)."""
    click.echo(completion.script(main, shell))


@main.command(context_settings={"ignore_unknown_options": True})
@name_option
@click.option("--find-knee", is_flag=True, help="Step users up until more of them bring no more work; writes a page.")
@click.option("--step-s", default=None, type=click.FloatRange(5), help="Seconds of a step [with --find-knee: 12].")
@click.option("--mix", default="everyday", help="What users do: everyday, or logins alone (loadtests/mix.py).")
@click.option(
    "--workers", default="", metavar="N[,N...]", help="In a cluster: drive with so many Locust pods, in turn."
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@clear_errors
def load(name: str, find_knee: bool, step_s: float | None, mix: str, workers: str, options: tuple[str, ...]) -> None:
    """Load on a platform that is up: Locust's own web page, or headless, or the search for the platform's knee.

    \b
      chaosblink load                                          http://127.0.0.1:8089
      chaosblink load --headless --users 20 --run-time 60s --shape step
      chaosblink load --find-knee
      chaosblink load --target kind --workers 1,2,4            logins a second that so many pods drive

    All other options are Locust's; --shape is steady, step or spike.
    """
    from chaosblink.experiments import locust

    if mix not in locust.mixes():
        raise PlatformError(f"no mix {mix!r}; there are {', '.join(locust.mixes())}")
    if find_knee and options:
        raise PlatformError(f"--find-knee chooses Locust's options itself; leave out {' '.join(options)}")
    if workers:
        if find_knee or options:
            raise PlatformError("--workers drives a load of its own; leave out all options but --mix")
        from chaosblink import cluster_life

        cluster_life.load(name, workers, mix, progress())
        return
    chosen = ("--mix", mix, *(("--step-s", str(step_s)) if step_s else ()), *options)
    _elsewhere(name, "load", *(["--find-knee"] if find_knee else []), *chosen)
    target = open_target(name)
    if find_knee:
        from chaosblink.load import measure
        from chaosblink.report import load_page

        folder = locust.ROOT / "reports" / "runs" / time.strftime("%Y%m%d-%H%M%S-load")
        file = measure.find_knee(target, folder, measure.Plan(step_s or 12.0, mix=mix), progress())
        click.echo(f"{measure.concluded(file)}\n{file}\nreport: {load_page.render(folder)}")
        return
    here = [] if "--headless" in options else ["--web-host", "127.0.0.1"]
    command = locust.command(target, *here, *chosen)
    sys.exit(subprocess.run(command, env={**os.environ, **locust.environment(target)}, check=False).returncode)


for _command in (allow, disallow, fetch):
    main.add_command(_command)
