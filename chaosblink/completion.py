"""Shell completion: click's own scripts, and the names only a platform or the checkout knows."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

from chaosblink.targets import PlatformError
from chaosblink.targets.local.target import DEFAULT_NAME, read_record, state_root

VARIABLE = "_CHAOSBLINK_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


def script(command: click.Command, shell: str) -> str:
    """What a shell has to source, say `source <(chaosblink completion bash)`; PlatformError for another shell."""
    kind = get_completion_class(shell)
    if kind is None or shell not in SHELLS:
        raise PlatformError(f"no completion for {shell!r}; there is one for {', '.join(SHELLS)}")
    # not .source(), which for bash would start one to look at its version
    maker = kind(command, {}, "chaosblink", VARIABLE)
    return str(maker.source_template % maker.source_vars())


def platforms(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of the local platforms that stand."""
    return _matching([record.parent.name for record in sorted(state_root().glob("*/platform.json"))], begun)


def instances(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of the instances of the platform that `--name` says; nothing while there is none."""
    try:
        layout, _ = read_record(str(context.params.get("name") or DEFAULT_NAME))
    except (PlatformError, OSError, ValueError, KeyError):
        return []
    return _matching([instance.name for instance in layout.instances()], begun)


def experiments(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of the experiments."""
    from chaosblink.experiments import plan

    return _matching(list(plan.known()), begun)


def _matching(names: list[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]
