"""Chaos Toolkit probes: is a component redundant, does a login succeed, is anything of a fault left."""

from __future__ import annotations

import logging
import time

import aiohttp
from chaoslib.exceptions import ActivityFailed

from chaosblink import components
from chaosblink.faults import FaultError, undo
from chaosblink.faults.timeline import mark
from chaosblink.selectors import CONTROL_PLANE, SINGLE, resolve
from chaosblink.targets import PlatformError, Target, entrance, open_target
from chaosblink.targets.kubernetes.target import KubernetesTarget
from chaosblink.waiting import Timeout, until
from chaosblink.workloads.login import LoginFailed
from chaosblink.workloads.login_path import login_once
from chaosblink.workloads.spec import LoginRoute

logger = logging.getLogger("chaostoolkit")

STEADY_WITHIN_S = 15.0
"""How long a steady state may take to show: longer than two logins' deadline, shorter than anyone would wait."""

__all__ = ["becomes_led", "becomes_redundant", "healthy", "login_succeeds", "nothing_left", "on_a_worker", "redundant"]


def redundant(component: str, within: float = STEADY_WITHIN_S) -> bool:
    """Whether `component` could lose an instance: every instance up, in place and caught up, within `within` seconds.

    A platform that answers late once is not another platform: an experiment begins as soon as it is steady.
    """
    try:
        becomes_redundant(component, within)
    except ActivityFailed as failed:
        logger.warning(str(failed))
        return False
    return True


def becomes_redundant(component: str, within: float = 60.0) -> float:
    """Wait until `component` is redundant again and return how many seconds that took.

    Fails after `within` seconds, naming what is still missing. Every change of the answer goes to the timeline.
    """
    asked, began = _component(component), time.monotonic()
    said: list[components.Redundancy] = []

    def question() -> bool:
        answer = _redundant(asked, said[-1] if said else None)
        said.append(answer)
        return answer.ok

    try:
        until(question, within, f"{component} is redundant", every=0.2)
    except Timeout:
        last = said[-1].why if said else "no answer"
        raise ActivityFailed(f"{component} is not redundant within {within:g} s: {last}") from None
    return round(time.monotonic() - began, 3)


def becomes_led(component: str, within: float = 30.0) -> float:
    """Wait until one instance of `component`, and only one, says that it leads; how many seconds that took.

    For what is done next to a new leader: full redundancy comes later.
    """
    asked, began = _component(component), time.monotonic()

    def leaders() -> bool:
        return [asked.role(instance) in SINGLE for instance in asked.instances()].count(True) == 1

    try:
        until(leaders, within, f"{component} has a leader", every=0.1)
    except Timeout as timeout:
        raise ActivityFailed(str(timeout)) from None
    mark("mark", {"text": f"{component} has one leader"})
    return round(time.monotonic() - began, 3)


def healthy(component: str) -> bool:
    """Whether every instance of `component` does its work, by its own words."""
    asked = _component(component)
    ill = [instance.name for instance in asked.instances() if not asked.healthy(instance)]
    if ill:
        logger.warning(f"not healthy: {', '.join(ill)}")
    return not ill


def on_a_worker(victim: str) -> bool:
    """Whether whom `victim` names sits on a node that is not the control plane, as the node faults' driver tells them.

    With the control plane its own leader is lost too, and that is another fault.
    """
    target = _target()
    if not isinstance(target, KubernetesTarget):
        raise ActivityFailed(f"{victim} sits on no node: {target.cannot('node-kill')}")
    try:
        (node,) = target.host().ask("lifetimes", {"pods": [{"role": CONTROL_PLANE}]}).result
        there = [i.name for i in resolve(target, victim) if i.node == node["instance"]]
    except PlatformError as error:
        raise ActivityFailed(str(error)) from None
    if there:
        logger.warning(f"{', '.join(there)} ({victim}) sits on the control plane; kill it, and it leads elsewhere")
    return not there


def login_succeeds(within: float = STEADY_WITHIN_S) -> bool:
    """Whether one whole login through the edge (authorize, session, password, code, token, userinfo) succeeds.

    It is tried again for `within` seconds; every failure is logged.
    """
    route = _route(_target())
    try:
        return until(lambda: _logged_in(route), within, "a login succeeds", every=0.5)
    except Timeout:
        return False


def nothing_left() -> bool:
    """Whether no fault is open in the journal and no trace of an earlier one is found on its victims."""
    try:
        left = undo.residue(_target())
    except FaultError as error:
        raise ActivityFailed(str(error)) from None
    for line in left:
        logger.warning(line)
    return not left


def _logged_in(route: LoginRoute) -> bool:
    try:
        login_once(route)
    except (LoginFailed, aiohttp.ClientError, OSError, TimeoutError) as error:
        logger.warning(f"the login failed: {error or type(error).__name__}")
        return False
    return True


def _redundant(asked: components.Component, before: components.Redundancy | None = None) -> components.Redundancy:
    """Ask, and put the answer on the timeline and into the log where it differs from the one before."""
    answer = asked.redundant()
    if answer != before:
        mark("redundant", {"component": asked.name, "redundant": answer.ok, "why": answer.why})
        logger.info(f"{asked.name} is {'' if answer.ok else 'not '}redundant: {answer.why}")
    return answer


def _component(name: str) -> components.Component:
    try:
        return components.of(_target(), name)
    except PlatformError as error:
        raise ActivityFailed(str(error)) from None


def _target() -> Target:
    try:
        return open_target()
    except PlatformError as error:
        raise ActivityFailed(str(error)) from None


def _route(target: Target) -> LoginRoute:
    address, port = entrance(target, "identity")
    return LoginRoute(
        address=address,
        port=port,
        ca_file=str(target.ca_file),
        password_file=str(target.secret_file("user-password")),
        login_client_token_file=str(target.secret_file("login-client-token")),
    )
