"""What every command has: the options that say which platform is meant, errors as one line, progress."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import click

from chaosblink import completion
from chaosblink.targets import CONTEXT, DEFAULT_NAME, TARGET, PlatformError

BAD_INPUT = 2


def clear_errors_of(program: str, interrupted: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For a program's commands: a PlatformError becomes one line and exit code 2, SIGTERM the clean-up of Ctrl-C.

    `interrupted` is what is said after that.
    """

    def clear(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            signal.signal(signal.SIGTERM, _interrupt)
            try:
                return command(*arguments, **options)
            except PlatformError as error:
                click.echo(f"{program}: {error}", err=True)
                if tail := getattr(error, "log_tail", ""):
                    click.echo(f"last lines of its log:\n{tail}", err=True)
                sys.exit(BAD_INPUT)
            except KeyboardInterrupt:
                click.echo(f"{program}: interrupted; {interrupted}", err=True)
                sys.exit(130)

        return wrapped

    return clear


clear_errors = clear_errors_of("chaosblink", "cleaned up")


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _to_environment(variable: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    """A callback that hands an option on: whatever opens the platform later, in this process or another, finds it."""

    def keep(_context: click.Context, _option: click.Parameter, chosen: str | None) -> None:
        if chosen:
            os.environ[variable] = chosen
        if variable == CONTEXT and chosen and os.environ.get(TARGET, "local") == "local":
            os.environ[TARGET] = "kubernetes"

    return keep


_target_option = click.option(
    "--target",
    type=click.Choice(["local", "kind", "kubernetes"]),
    expose_value=False,
    is_eager=True,
    callback=_to_environment(TARGET),
    help="Where the platform runs [default: local, or kubernetes with --context].",
)
_context_option = click.option(
    "--context",
    metavar="NAME",
    expose_value=False,
    callback=_to_environment(CONTEXT),
    help="The kubeconfig's context that names the cluster [default for kind: kind-<name>].",
)
_name_option = click.option(
    "--name",
    default=DEFAULT_NAME,
    show_default=True,
    envvar="CHAOSBLINK_PLATFORM",
    shell_complete=completion.platforms,
    help="Which platform is meant.",
)
instance_argument = click.argument("instance", shell_complete=completion.instances)


def name_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which platform is meant, and where."""
    return _name_option(_target_option(_context_option(command)))


def progress() -> Callable[[str], None]:
    """A function that prints a line with the seconds since now before it."""
    began = time.monotonic()

    def line(text: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {text}")

    return line
