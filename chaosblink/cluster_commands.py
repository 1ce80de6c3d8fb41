"""The commands of whoever answers for a cluster: `chaosblink allow`, `disallow`, `fetch`."""

from __future__ import annotations

import click

from chaosblink.options import clear_errors, name_option, progress


@click.command()
@name_option
@click.option("--image", default="", help="The suite's image [default: images.suite of the release's values].")
@click.option("--nightly", default="", metavar="SCHEDULE", help='Run the suites by a CronJob as well ("0 2 * * *").')
@clear_errors
def allow(name: str, image: str, nightly: str) -> None:
    """Let chaos into a cluster: label the platform's namespaces, install the agents and what a run needs.

    An agent equals root on its node. It acts only on pods of labelled namespaces, only for the run that holds the
    cluster's lease, and undoes everything when that run is lost.
    """
    from chaosblink.targets.kubernetes import allowing, opening, values
    from chaosblink.targets.kubernetes.api import connect

    api = connect(name)
    chosen = image or values.suite_image(values.of_release(api))
    allowing.allow(api, chosen, opening.command_options(name), nightly, progress())


@click.command()
@name_option
@clear_errors
def disallow(name: str) -> None:
    """Take agents, accounts and labels out of a cluster again; what is broken is mended first."""
    from chaosblink.targets.kubernetes.allowing import disallow as shut_out
    from chaosblink.targets.kubernetes.api import connect

    shut_out(connect(name), progress())


@click.command()
@name_option
@click.option("--image", default="", help="The suite's image [default: images.suite of the release's values].")
@clear_errors
def fetch(name: str, image: str) -> None:
    """Bring back every run folder that lies in a cluster: those of the nightly, and of runs nobody waited for."""
    from chaosblink import cluster_life
    from chaosblink.targets.kubernetes import values
    from chaosblink.targets.kubernetes.api import connect

    api = connect(name)
    cluster_life.fetch(api, image or values.suite_image(values.of_release(api)), None, progress())
