"""supervisord as the local kubelet: its configuration, and the few calls made to it."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import xmlrpc.client
from pathlib import Path
from typing import Any

import jinja2
import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from chaosblink.targets import PlatformError
from chaosblink.targets.local import names
from chaosblink.targets.local.environment import environment
from chaosblink.targets.local.layout import ROOT, Layout
from chaosblink.waiting import until


def configure(layout: Layout, state: Path) -> Path:
    """Write supervisord.conf with one program an instance, none of them started."""
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(
        (ROOT / "platform" / "local" / "supervisord.conf.j2").read_text()
    )
    programs = []
    for instance in layout.instances():
        variables = environment(layout, state, instance)
        programs.append(
            {
                "name": instance.name,
                "command": " ".join(
                    [*names.enter(layout, state, instance), f"{state}/files/{instance.component}/start.sh"]
                ),
                "directory": state / "instances" / instance.name,
                "environment": ",".join(f'{name}="{_escaped(text)}"' for name, text in variables.items()),
            }
        )
    user = getpass.getuser() if os.geteuid() == 0 else ""
    path = state / "supervisord.conf"
    path.write_text(template.render(state=state, programs=programs, user=user))
    return path


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace('"', '\\"')


class Supervisor:
    """Calls to the supervisord of one platform. PlatformError when it does not answer."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def launch(self) -> None:
        """Start supervisord in the background and wait until it answers."""
        command = [str(Path(sys.executable).parent / "supervisord"), "-c", str(self._state / "supervisord.conf")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
        if done.returncode:
            raise PlatformError(f"supervisord did not start: {' '.join((done.stderr or done.stdout).split())}")
        until(self.alive, within=10, what="supervisord answers")

    def alive(self) -> bool:
        """Whether supervisord answers."""
        try:
            self._call("getState")
        except PlatformError:
            return False
        return True

    def start(self, name: str) -> None:
        """Have a program run; no error when it already does."""
        self._call("startProcess", name, False, tolerate=Faults.ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Stop a program and wait until it is gone; no error when it does not run."""
        self._call("stopProcess", name, True, tolerate=Faults.NOT_RUNNING)

    def pid(self, name: str) -> int:
        """Pid of the program's main process, 0 while it is down."""
        found = self._call("getProcessInfo", name)
        # stopping (40) still has a process, backoff (30) and exited (100) name a dead one
        return int(found["pid"]) if found["statename"] in ("STARTING", "RUNNING", "STOPPING") else 0

    def statename(self, name: str) -> str:
        """supervisord's word for the program: RUNNING, STOPPED, BACKOFF, FATAL, ..."""
        return str(self._call("getProcessInfo", name)["statename"])

    def kill(self) -> None:
        """End supervisord at once, so that nothing restarts what is killed next; no error when it is dead already."""
        daemon = self._process()
        if daemon is not None:
            daemon.kill()
            daemon.wait(timeout=5)

    def _process(self) -> psutil.Process | None:
        pidfile = self._state / "supervisord.pid"
        try:
            daemon = psutil.Process(int(pidfile.read_text()))
            return daemon if str(self._state) in " ".join(daemon.cmdline()) else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None

    def _call(self, method: str, *arguments: Any, tolerate: int | None = None) -> Any:
        socket = self._state / "supervisor.sock"
        # the name in the address is never resolved: the transport speaks to the socket
        proxy = xmlrpc.client.ServerProxy(
            "http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{socket}")
        )
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == tolerate:
                return None
            raise PlatformError(f"supervisord refused {method} {arguments[:1]}: {fault.faultString}") from None
        except (OSError, xmlrpc.client.ProtocolError) as error:
            raise PlatformError(
                f"the platform's supervisor does not answer ({error}); `chaosblink down` removes what is left"
            ) from None
