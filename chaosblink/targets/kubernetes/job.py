"""A command of the suite as a Job beside the platform: started by a person, its log in the terminal, its exit code."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable
from typing import Any

import yaml

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import names, values
from chaosblink.targets.kubernetes.api import Api, Away, Missing
from chaosblink.targets.kubernetes.manifests import Applier, config_map, render
from chaosblink.targets.local.layout import ROOT
from chaosblink.waiting import Timeout, until

STARTED_WITHIN_S = 300.0
"""Seconds until the pod's container runs; pulling the image is the long part."""
ENDED_WITHIN_S = 120.0
CONFORMANCE = "conformance"
Say = Callable[[str], None]


def pod_variables(
    api: Api, image: str, arguments: list[str], options: str, folder: str, host: str = ""
) -> dict[str, Any]:
    """What the pod's template wants to know; `host` is the address of the node faults' driver."""
    return {
        "image": image,
        "arguments": arguments,
        "options": options,
        "cluster": api.uid(),
        "commit": commit(),
        "folder": folder,
        "host": host,
        "account": names.RUN_ACCOUNT,
    }


def commit() -> str:
    """The checkout's commit; the image it is built into has no repository."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not from a repository"


class Job:
    """One command in the cluster; remove it whatever became of it."""

    def __init__(
        self, api: Api, arguments: list[str], options: str, image: str = "", folder: str = "", host: str = ""
    ) -> None:
        """`arguments` of `chaosblink`; `folder` is the run's, on the volume; `host` is the node faults' driver's.

        A conformance run has an account of its own, which may look into the platform's pods and is removed with it.
        """
        self._api = api
        self.name = f"chaosblink-{arguments[0]}-{time.strftime('%H%M%S')}-{secrets.token_hex(2)}"
        found = values.of_release(api)
        self.image = image or values.suite_image(found)
        variables = pod_variables(api, self.image, arguments, options, folder, host)
        granted: list[dict[str, Any]] = []
        if arguments[0] == CONFORMANCE:
            variables["account"] = names.CONFORMANCE_ACCOUNT
            granted = render("conformance", image=self.image)
        self._objects = [*granted, *render("job", name=self.name, **variables)]
        self._applier = Applier(api)
        self._applier.apply([config_map(names.VALUES, {"values.yaml": yaml.safe_dump(found)}), *self._objects])

    def run(self, say: Say) -> int:
        """Exit code of the command; each line of its log is said as it comes. PlatformError when it cannot start."""
        self._until_started()
        self._follow(say)
        return self._exit_code()

    def address(self) -> str:
        """The pod's address once it runs; PlatformError when it cannot start."""
        self._until_started()
        return str((self._pod() or {}).get("status", {}).get("podIP", ""))

    def stop(self) -> None:
        """Ask the command to end (it cleans up) and return when its pod is gone."""
        self._applier.remove(self._objects)
        try:
            until(lambda: self._pod() is None, ENDED_WITHIN_S, f"{self.name} has ended", every=0.5)
        except Timeout as timeout:
            raise PlatformError(str(timeout)) from None

    def remove(self) -> None:
        """Remove what is left of it; no error when nothing is."""
        self._applier.remove(self._objects)

    def _pod(self) -> dict[str, Any] | None:
        found = self._api.pods(names.NAMESPACE, f"batch.kubernetes.io/job-name={self.name}")
        return found[0] if found else None

    def _state(self) -> dict[str, Any]:
        pod = self._pod()
        statuses = (pod or {}).get("status", {}).get("containerStatuses") or [{}]
        return dict(statuses[0].get("state") or {})

    def _until_started(self) -> None:
        def started() -> bool:
            state = self._state()
            return "running" in state or "terminated" in state

        try:
            until(started, STARTED_WITHIN_S, f"{self.name} runs", every=0.3)
        except Timeout:
            from chaosblink.targets.kubernetes.allowing import why_not_ready

            pod = self._pod()
            why = why_not_ready(pod) if pod else f"no pod: is it allowed? {names.allow_command(self._api.cluster)}"
            raise PlatformError(f"the run did not start in cluster {self._api.cluster}: {why}") from None

    def _follow(self, say: Say) -> None:
        """Say the log to its end; where the stream broke off it is taken up again behind the last line said."""
        last = ""
        while True:
            behind = last  # where a stream is taken up again; within one, stamps may be equal
            pod = self._pod()
            if pod is None:
                return
            try:
                options = {"follow": True, "timestamps": True}
                for stamped in self._api.lines(names.NAMESPACE, pod["metadata"]["name"], "suite", **options):
                    stamp, _, line = stamped.partition(" ")
                    if _nanoseconds(stamp) > behind:
                        last = _nanoseconds(stamp)
                        say(line)
            except Missing:
                return
            except Away as error:
                say(f"(the log broke off and is taken up again: {error})")
            if "running" not in self._state_patiently():
                return

    def _state_patiently(self) -> dict[str, Any]:
        """The container's state, asked until the API answers: the control plane may be what is being broken."""
        found: list[dict[str, Any]] = []

        def asked() -> bool:
            found.append(self._state())
            return True

        try:
            until(asked, STARTED_WITHIN_S, "the cluster's API answers", every=1.0)
        except Timeout as timeout:
            raise PlatformError(str(timeout)) from None
        return found[-1]

    def _exit_code(self) -> int:
        try:
            ended = until(lambda: self._state().get("terminated"), ENDED_WITHIN_S, f"{self.name} has ended", every=0.3)
        except Timeout:
            raise PlatformError(f"{self.name} is gone from cluster {self._api.cluster} and left no exit code") from None
        assert ended
        return int(ended["exitCode"])


def _nanoseconds(stamp: str) -> str:
    """A log line's time with all nine digits of its fraction, so that text compares as time does."""
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}"
