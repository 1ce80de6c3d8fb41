"""Runs a command in a container through the cluster's API, as `kubectl exec` does."""

from __future__ import annotations

import io
import time
from typing import Any, Protocol

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from websocket import WebSocketException

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes.api import Api, Away

ENDS_WITHIN_S = 1800.0
"""Seconds a command may take; copying a whole run folder is the longest."""


class Output(Protocol):
    """Where the command's standard output goes."""

    def write(self, content: bytes, /) -> Any:
        """Take a part of it."""


def execute(
    api: Api,
    place: tuple[str, str, str],
    command: list[str],
    output: Output,
    given: bytes = b"",
    within: float = ENDS_WITHIN_S,
) -> None:
    """Run it in `place` (namespace, pod, container); PlatformError when it cannot be run, fails or does not end.

    `given` is written to its standard input, whose end it is never told: the command must know how much to read.
    `within` is in seconds.
    """
    namespace, pod, _ = place
    socket = _opened(api, place, command, bool(given))
    if given:
        socket.write_stdin(given)
    complaint, deadline = b"", time.monotonic() + within
    while socket.is_open():
        if time.monotonic() > deadline:
            socket.close()
            raise PlatformError(f"{command[0]} in {namespace}/{pod} did not end within {within:g} s")
        socket.update(timeout=1)
        output.write(socket.read_stdout(timeout=0) or b"")
        complaint += socket.read_stderr(timeout=0) or b""
    output.write(socket.read_stdout(timeout=0) or b"")
    complaint += socket.read_stderr(timeout=0) or b""
    if socket.returncode != 0:
        said = " ".join(complaint.decode(errors="replace").split())[-300:]
        raise PlatformError(f"{command[0]} in {pod} ended with {socket.returncode}: {said}")


def output_of(
    api: Api, place: tuple[str, str, str], command: list[str], given: bytes = b"", within: float = 20.0
) -> str:
    """Standard output of a short command; otherwise as `execute`."""
    output = io.BytesIO()
    execute(api, place, command, output, given, within)
    return output.getvalue().decode(errors="replace")


def _opened(api: Api, place: tuple[str, str, str], command: list[str], stdin: bool) -> Any:
    namespace, pod, container = place
    # stream() swaps the request method of the client it is given: a client of its own for each call
    core = client.CoreV1Api(client.ApiClient(api.configuration))
    options = {"stdout": True, "stderr": True, "stdin": stdin, "tty": False, "binary": True}
    try:
        return stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            container=container,
            command=command,
            _preload_content=False,
            **options,
        )
    except ApiException as error:
        raise PlatformError(f"cluster {api.cluster} lets nobody into {pod}: {error.reason}") from None
    except (urllib3.exceptions.HTTPError, WebSocketException, OSError) as error:
        raise Away(f"cluster {api.cluster} cannot be reached: {' '.join(str(error).split())[:200]}") from None
