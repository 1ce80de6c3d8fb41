"""The questions a component answers, and the shapes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from chaosblink.targets import Instance, PlatformError

PATIENCE_S = 3.0
"""A server that has not answered by then counts as not answering. A connection through PgPool took up to 1.2 s on a
machine with twenty times more to do than it has cores."""


class Redundancy(NamedTuple):
    """Whether the component could lose an instance now; `why` says what is missing, or what was found."""

    ok: bool
    why: str


@dataclass(frozen=True, slots=True)
class Bound:
    """The longest outage the live configuration allows when the leader dies: docs/measuring.md rule 7."""

    ms: float
    formula: str
    inputs: dict[str, Any]


def first_answer(component: str, instances: list[Instance], question: Callable[[Instance], str]) -> str:
    """The first non-empty answer of an instance; PlatformError when none answers. The question must not raise."""
    for instance in instances:
        if answer := question(instance):
            return answer
    raise PlatformError(f"no instance of {component} answers")


def no_formula(component: str) -> PlatformError:
    """The error of a component whose loss is bounded by the components behind or in front of it."""
    return PlatformError(f"{component} has no formula for its outage: it is not promised on its own")


class Component(Protocol):
    """One component of a platform that is up. No method raises because a server is down: that is an answer."""

    name: str

    def instances(self) -> list[Instance]:
        """Its servers, in order of name."""

    def role(self, instance: Instance) -> str:
        """What the server itself says it is now; "" when it does not answer."""

    def healthy(self, instance: Instance) -> bool:
        """Whether the server does its work, by its own words."""

    def redundant(self) -> Redundancy:
        """Whether every instance is up, in place and caught up."""

    def client(self, instance: Instance | None = None) -> Any:
        """A client of the component as its users have one, or of one instance; it may raise its library's errors."""

    def version(self) -> str:
        """Version of the software, asked of the first instance that answers; PlatformError when none does."""

    def bound(self) -> Bound:
        """The outage the live configuration allows; PlatformError when it cannot be read or there is no formula."""
