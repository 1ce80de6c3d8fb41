"""Bring a local platform up from nothing, in the order its parts need each other, and take it down again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import filelock
import psutil

from chaosblink.targets import Instance, PlatformError
from chaosblink.targets.local import names, network, preflight, secret_files
from chaosblink.targets.local.certificates import Authority
from chaosblink.targets.local.environment import environment
from chaosblink.targets.local.layout import CHART, COMPONENTS, EDGE_HOST, IDENTITY_HOST, VAULT_HOST, Layout, group_of
from chaosblink.targets.local.supervisor import Supervisor, configure
from chaosblink.targets.local.target import (
    LocalTarget,
    processes_of,
    read_record,
    state_of,
    state_root,
    write_record,
)
from chaosblink.waiting import Timeout, until

Progress = Callable[[str], None]

COMES_UP_WITHIN = 90.0
"""Seconds after which a component that is not healthy is given up: over twice the promised 40 s for the whole."""


class NotComeUp(PlatformError):
    """An instance did not become healthy; carries its name and last log lines."""

    def __init__(self, message: str, instance: str, log_tail: str) -> None:
        super().__init__(message)
        self.instance = instance
        self.log_tail = log_tail


def up(name: str, values: dict, network_kind: str, progress: Progress) -> LocalTarget:
    """Bring up platform `name`; on failure or interruption everything is taken down again before the error leaves."""
    namespaces = preflight.check(network_kind)
    layout, state = _claim(name, values, namespaces)
    try:
        _prepare(layout, state)
        progress(f"{len(layout.instances())} instances, addresses {layout.prefix}.0/24")
        _start(layout, state, progress)
    except BaseException:
        with undisturbed():
            down(name)
        raise
    write_record(state, layout, "up")
    return LocalTarget(name)


def _claim(name: str, values: dict, namespaces: bool) -> tuple[Layout, Path]:
    if not name.replace("-", "").isalnum() or len(name) > 30:
        raise PlatformError(f"--name {name!r}: use up to 30 letters, digits and hyphens")
    state, root = state_of(name), state_root()
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    with filelock.FileLock(root / "claims.lock"):
        if state.exists():
            raise PlatformError(
                f"platform {name!r} already exists: use it, remove it with `chaosblink down --name {name}`, "
                "or choose another --name"
            )
        layout = Layout(name, values, _free_prefix(root, namespaces), namespaces)
        state.mkdir(mode=0o755)
        write_record(state, layout, "coming up")
    return layout, state


def _free_prefix(root: Path, namespaces: bool) -> str:
    taken = {read_record(path.parent.name)[0].prefix for path in root.glob("*/platform.json")}
    base = "198.18" if namespaces else "127.18"
    for third in range(256):
        prefix = f"{base}.{third}"
        if prefix not in taken and not (namespaces and network.busy(prefix)):
            return prefix
    raise PlatformError(f"no free address range in {base}.0.0/16: {len(taken)} platforms stand here; `chaosblink down`")


def _prepare(layout: Layout, state: Path) -> None:
    if layout.namespaces:
        network.create(layout)
    secret_files.create(state / "secrets")
    authority = Authority(layout.name)
    (state / "ca.crt").write_bytes(authority.certificate())
    (state / "logs").mkdir(mode=0o700)
    (state / "faults").mkdir(mode=0o700)
    for component in COMPONENTS:
        shutil.copytree(CHART / "files" / component, state / "files" / component)
    _link_vault(state / "bin")
    for script in (state / "files").rglob("*.sh"):
        script.chmod(0o755)  # as the chart's defaultMode does: a ConfigMap keeps no modes
    for instance in layout.instances():
        _furnish(layout, state, instance, authority)


def _link_vault(directory: Path) -> None:
    """Make OpenBao's program callable under both names, since the owner's commands say `vault`."""
    directory.mkdir(mode=0o755)
    for name in ("bao", "vault"):
        (directory / name).symlink_to(preflight.bao())


def _furnish(layout: Layout, state: Path, instance: Instance, authority: Authority) -> None:
    home = state / "instances" / instance.name
    (home / "data").mkdir(mode=0o700, parents=True)
    secret_files.hand_out(group_of(instance).secrets, state / "secrets", home / "secrets")
    hosts = {"edge": [IDENTITY_HOST, VAULT_HOST, EDGE_HOST], "vault": [instance.name, VAULT_HOST]}.get(
        instance.component
    )
    if hosts:
        authority.issue(home / "tls", [instance.address], hosts)
    else:
        (home / "tls").mkdir(mode=0o700)
        (home / "tls" / "ca.crt").write_bytes(authority.certificate())
    names.write(layout, state, instance)
    _give(home, environment(layout, state, instance)["RUN_AS"])


def _give(home: Path, user: str) -> None:
    if not user:
        return
    for path in (home, *home.rglob("*")):
        shutil.chown(path, user)


def _start(layout: Layout, state: Path, progress: Progress) -> None:
    configure(layout, state)
    supervisor = Supervisor(state)
    supervisor.launch()
    bringing = BringUp(layout, state, supervisor, progress)
    bringing.start("vault", "postgresql", "redis", "edge")
    bringing.wait_for("redis")
    bringing.start("sentinel")
    bringing.set_up_vault()
    bringing.wait_for("vault")
    bringing.wait_for("postgresql")
    bringing.start("pgpool", "identity")
    for component in ("pgpool", "sentinel", "identity", "edge"):
        bringing.wait_for(component)
    bringing.start("eventrelay")
    bringing.wait_for("eventrelay")


class BringUp:
    """One bring-up under way: starts components and waits for their health scripts."""

    def __init__(self, layout: Layout, state: Path, supervisor: Supervisor, progress: Progress) -> None:
        self._layout, self._state, self._supervisor, self._progress = layout, state, supervisor, progress
        self._began = time.monotonic()

    def start(self, *components: str) -> None:
        """Have the supervisor run every instance of the components."""
        for component in components:
            for instance in self._layout.instances(component):
                self._supervisor.start(instance.name)

    def wait_for(self, component: str) -> None:
        """Return when every instance is healthy; NotComeUp with the log of the first that is not."""
        for instance in self._layout.instances(component):
            try:
                until(partial(self._healthy, instance), COMES_UP_WITHIN, f"{instance.name} is healthy", every=0.3)
            except Timeout as timeout:
                tail = self._tail(instance.name)
                raise NotComeUp(f"{instance.name} did not come up: {timeout}", instance.name, tail) from None
        self._progress(f"{component} healthy after {time.monotonic() - self._began:.1f} s")

    def set_up_vault(self) -> None:
        """Initialise Vault, give it its policies and secrets, and hand each identity node its AppRole."""
        secrets = self._state / "secrets"
        first = self._layout.instances("vault")[0]
        variables = environment(self._layout, self._state, first)
        variables |= {"SECRETS": str(secrets), "SETUP_DIR": str(secrets), "SETUP_AUTH": "approle"}
        log = self._state / "logs" / "vault-setup.log"
        with log.open("w") as output:
            script = [str(self._state / "files" / "vault" / "setup.sh")]
            done = subprocess.run(script, env=variables, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise NotComeUp("vault set-up failed", "vault-setup", self._tail("vault-setup"))
        for instance in self._layout.instances("identity"):
            self._hand_approle(instance)
        self._progress(f"vault set up after {time.monotonic() - self._began:.1f} s")

    def _hand_approle(self, instance: Instance) -> None:
        home = self._state / "instances" / instance.name
        for kind in ("role-id", "secret-id"):
            content = (self._state / "secrets" / f"zitadel-{kind}").read_bytes()
            secret_files.write_private(home / "secrets" / f"approle-{kind}", content)
        _give(home / "secrets", environment(self._layout, self._state, instance)["RUN_AS"])

    def _healthy(self, instance: Instance) -> bool:
        script = str(self._state / "files" / instance.component / "health.sh")
        command = [*network.enter(self._layout, instance), script]
        variables = environment(self._layout, self._state, instance)
        done = subprocess.run(command, env=variables, capture_output=True, check=False, timeout=10)
        return done.returncode == 0

    def _tail(self, name: str) -> str:
        path = self._state / "logs" / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else "(no log)"


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C or SIGTERM cut a clean-up short."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def down(name: str) -> None:
    """Remove platform `name` whatever state it is in; PlatformError when there is none or something survives."""
    layout, _ = read_record(name)
    state = state_of(name)
    Supervisor(state).kill()
    _end_processes(layout, state)
    if layout.namespaces:
        network.destroy(layout)
    for place in state.iterdir():
        if place.is_dir():
            shutil.rmtree(place)
    shutil.rmtree(state)  # the record last: removing that was cut short can be done again


def _end_processes(layout: Layout, state: Path) -> None:
    def gone() -> bool:
        left = processes_of(layout, state, layout.instances())
        for pid in left:
            _kill(pid)
        return not left

    try:
        until(gone, within=20, what=f"no process of {layout.name} is left", every=0.05)
    except Timeout as timeout:
        raise PlatformError(str(timeout)) from None


def _kill(pid: int) -> None:
    if pid == os.getpid():
        return
    try:
        psutil.Process(pid).send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return
