"""BlinkChaos: kills BlinkChamber's leaders under login load and proves with numbers what held."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def discover(discover_system: bool = True) -> dict[str, Any]:  # noqa: ARG001 - Chaos Toolkit passes it
    """What `chaos discover chaosblink` lists: the actions, probes and controls of this extension."""
    from chaoslib.discovery.discover import (  # a light import of this package must not load the toolkit
        discover_actions,
        discover_probes,
        initialize_discovery_result,
    )

    found: dict[str, Any] = initialize_discovery_result("chaosblink", __version__, "blinkchamber")
    found["activities"].extend(discover_actions("chaosblink.actions"))
    found["activities"].extend(discover_probes("chaosblink.probes"))
    return found
