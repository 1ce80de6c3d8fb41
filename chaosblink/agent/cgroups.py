"""Which processes belong to a pod: the pod's UID and the container's id stand in /proc/PID/cgroup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONTAINER = re.compile(r"[0-9a-f]{64}")


class Cgroups:
    """The processes of the machine by pod; `proc` is another directory in tests only."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc

    def of(self, uid: str) -> dict[int, str]:
        """Pid to container id of a pod's processes, its sandbox's pause process left out."""
        return self.by_pod([uid])[uid]

    def by_pod(self, uids: list[str]) -> dict[str, dict[int, str]]:
        """`of` for several pods, in one pass over the machine's processes."""
        found: dict[str, dict[int, str]] = {uid: {} for uid in uids}
        for uid, pid, text in self._members(uids):
            if containers := CONTAINER.findall(text):
                found[uid][pid] = containers[-1]
        return {uid: self._without_sandbox(members) for uid, members in found.items()}

    def anyone(self, uid: str) -> int | None:
        """A process in the pod's network namespace, its pause process included; None when the pod is gone."""
        return next((pid for _, pid, _ in self._members([uid])), None)

    def _members(self, uids: list[str]) -> Iterator[tuple[str, int, str]]:
        """UID, pid and cgroups of every process of the pods.

        ValueError for what is no pod's UID: an empty one would fit every process of the machine.
        """
        for uid in uids:
            if not UID.fullmatch(uid):
                raise ValueError(f"{uid!r} is no UID of a pod")
        # the second spelling is that of systemd's cgroup driver
        spelled = {spelling: uid for uid in uids for spelling in (uid, uid.replace("-", "_"))}
        for pid in self._pids():
            text = self._read(pid, "cgroup")
            if match := next((uid for spelling, uid in spelled.items() if spelling in text), None):
                yield match, pid, text

    def _pids(self) -> list[int]:
        return sorted(int(place.name) for place in self._proc.iterdir() if place.name.isdigit())

    def _without_sandbox(self, found: dict[int, str]) -> dict[int, str]:
        paused = {container for pid, container in found.items() if self._read(pid, "comm").strip() == "pause"}
        return {pid: container for pid, container in found.items() if container not in paused}

    def _read(self, pid: int, name: str) -> str:
        try:
            return (self._proc / str(pid) / name).read_text()
        except OSError:  # it ended meanwhile
            return ""
