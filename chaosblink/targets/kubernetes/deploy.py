"""The command line behind scripts/deploy-umbrella.sh."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chaosblink.options import clear_errors_of, progress
from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.kind import is_kind, kept

DEFAULT_CONTEXT = "kind-blinkchamber"
"""The cluster scripts/create-kind-cluster.sh makes. Any other must be named."""


clear_errors = clear_errors_of("deploy-umbrella", "`status` says what stands")


def kept_images(context: str) -> Path | None:
    """The tags of the images built for kind here, when there are any."""
    file = kept() / "images.env"
    return file if is_kind(context) and file.exists() else None


context_option = click.option("--context", default=DEFAULT_CONTEXT, show_default=True, help="Which cluster.")
set_option = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A value of the chart.")
images_option = click.option(
    "--images", type=click.Path(path_type=Path), help="File of name=repository:tag lines, one an image."
)
within_option = click.option("--within", default=600, show_default=True, help="Seconds until everything is ready.")
upstream_option = click.option(
    "--upstream", is_flag=True, help="Also the products of platform/upstream, in place of what stands in for them."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Deploy BlinkChamber on a Kubernetes cluster, or take it away."""


@main.command()
@context_option
@set_option
@images_option
@within_option
@upstream_option
@click.option("--allow-chaos", is_flag=True, help="Let the suite break it (on a kind cluster it always may).")
@clear_errors
def install(
    context: str, overrides: tuple[str, ...], images: Path | None, within: int, upstream: bool, allow_chaos: bool
) -> None:
    """Install the platform and wait until every pod is ready."""
    from chaosblink.targets.kubernetes import upstream as products
    from chaosblink.targets.kubernetes.release import Release, values
    from chaosblink.targets.kubernetes.values import merged

    say = progress()
    chosen = values(context, overrides, images or kept_images(context))
    release = Release(context, say)
    if not upstream:
        release.install(chosen, allow_chaos, within)
        return
    release.prepare(allow_chaos)
    products.install(context, False, within, say)
    release.install(merged(products.replaced(), chosen), allow_chaos, within)
    products.install(context, True, within, say)


@main.command()
@context_option
@set_option
@images_option
@within_option
@clear_errors
def upgrade(context: str, overrides: tuple[str, ...], images: Path | None, within: int) -> None:
    """Change values or images; all values given before stay (as `helm upgrade --reset-then-reuse-values`)."""
    from chaosblink.targets.kubernetes.release import Release, values

    Release(context, progress()).upgrade(values(context, overrides, images or kept_images(context)), within)


@main.command()
@context_option
@click.option("--revision", type=int, help="Which one (default: the one before).")
@within_option
@clear_errors
def rollback(context: str, revision: int | None, within: int) -> None:
    """Back to an earlier revision."""
    from chaosblink.targets.kubernetes.release import Release

    Release(context, progress()).rollback(revision, within)


@main.command()
@context_option
@click.option("--purge", is_flag=True, help="Volumes, secrets and namespaces as well.")
@clear_errors
def uninstall(context: str, purge: bool) -> None:
    """Remove the platform; without --purge the next installation finds its data again."""
    from chaosblink.targets.kubernetes.release import Release

    Release(context, progress()).uninstall(purge)


@main.command()
@context_option
@clear_errors
def status(context: str) -> None:
    """Wanted and ready pods of every workload. Exit code 0 when all are ready, 1 when not, 2 when nothing is there."""
    from chaosblink.targets.kubernetes.release import RELEASE, Release

    release = Release(context, progress())
    said = release.helm_status()
    if not said:
        raise PlatformError(f"{RELEASE} is not installed on {context}: scripts/deploy-umbrella.sh install")
    click.echo(f"{RELEASE}, revision {release.revision()}: {said}")
    found = release.workloads()
    for workload in found:
        click.echo(f"  {workload.namespace:12} {workload.name:26} {workload.ready}/{workload.wanted}")
    for line in release.unready():
        click.echo(f"  {line}")
    sys.exit(0 if found and all(workload.whole for workload in found) else 1)


@main.command()
@context_option
@clear_errors
def test(context: str) -> None:
    """Run the chart's own test on what is deployed."""
    from chaosblink.targets.kubernetes.release import Release

    click.echo(Release(context, progress()).test())


if __name__ == "__main__":
    main(prog_name="deploy-umbrella.sh")
