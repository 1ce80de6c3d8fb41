"""What the procedures share: a kubectl whose every command and its time stand in the verdict, and who is what now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chaosblink.conformance import cluster
from chaosblink.procedures.kubectl import Kubectl
from chaosblink.targets import Target


@pytest.fixture
def kubectl(target: Target, record_property: Callable[[str, object], None]) -> Iterator[Kubectl]:
    """Commands on the cluster that was named; measured is the time all of a test's commands took."""
    made = Kubectl(cluster.of(target).api.cluster)
    yield made
    record_property("measured", round(sum(seconds for _, seconds in made.done), 2))
    record_property("unit", "s")
    record_property("found", "; ".join(f"{command} ({seconds:.1f} s)" for command, seconds in made.done))
