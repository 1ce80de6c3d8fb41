"""Every outage bound that the live configuration allows is computed, and none exceeds what is promised."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaosblink import components, promises
from chaosblink.targets import PlatformError, Target

WITH_FORMULA = ("vault", "postgresql", "redis", "identity", "eventrelay")


def promised_ms(component: str) -> float:
    """What the live configuration may allow: the promise about just that, else the shortest outage that is promised."""
    mine = [promise for promise in promises.load() if promise.component == component and promise.unit == "ms"]
    about = [promise for promise in mine if promise.checker == "configured"]
    bounds = [p.bound for p in about or mine if p.checker in ("configured", "outage") and p.bound is not None]
    assert bounds, f"no promise bounds the outage of {component}"
    return min(bounds)


@pytest.mark.parametrize("component", WITH_FORMULA)
def test_the_live_configuration_keeps_the_promise_of(
    target: Target, component: str, record_property: Callable[[str, object], None]
) -> None:
    live, promised = components.of(target, component).bound(), promised_ms(component)
    for name, value in {"component": component, "measured": round(live.ms, 1), "bound": promised, "unit": "ms"}.items():
        record_property(name, value)
    assert live.ms > 0
    assert live.ms <= promised, f"{live.formula} = {live.ms:g} ms with {live.inputs}, promised are {promised:g} ms"


def test_every_component_has_a_formula_or_says_whose_it_belongs_to(target: Target) -> None:
    for name in components.ALL:
        if name in WITH_FORMULA:
            assert components.of(target, name).bound().ms > 0
        else:
            with pytest.raises(PlatformError, match="has no formula"):
                components.of(target, name).bound()
