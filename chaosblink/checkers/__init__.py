"""The judgement of one round: pure functions from a recorded round to findings; nothing here talks to a server.

A checker is one module with

    NEEDS   the files of the round it reads
    TIMING  True when a disturbed round makes its figure worthless (rule 11), False for integrity, which always counts
    check(recorded, bound, **arguments) -> Finding

and `platform/promises.yaml` names it by its module name.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class UnknownChecker(LookupError):
    """promises.yaml names a checker that is not a module of this package."""


def checker(name: str) -> ModuleType:
    """The checker module of that name; UnknownChecker when there is none."""
    if not name.isidentifier():
        raise UnknownChecker(f"{name!r} is not a checker's name")
    try:
        module = import_module(f"{__name__}.{name}")
    except ModuleNotFoundError:
        raise UnknownChecker(f"there is no chaosblink/checkers/{name}.py") from None
    if not hasattr(module, "check"):
        raise UnknownChecker(f"chaosblink/checkers/{name}.py has no check()")
    return module
