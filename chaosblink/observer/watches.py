"""Which instances are asked now, each by a watch of its own, also when pods are replaced."""

from __future__ import annotations

import asyncio

from chaosblink.observer.pollers import POLLERS
from chaosblink.observer.spec import ObserverSpec
from chaosblink.observer.watch import Listener, Watch
from chaosblink.targets import Instance
from chaosblink.workloads.following import turn_page

LOOK_EVERY_S = 1.0


class Watches:
    """One watch an instance that can be asked, each a task; the components in focus are asked more often."""

    def __init__(self, spec: ObserverSpec, recorder: Listener) -> None:
        """OSError when a file the spec names cannot be read."""
        self._spec, self._recorder = spec, recorder
        self._first = {instance: self._watch(instance) for instance in spec.instances if _can_ask(spec, instance)}
        self._tasks: dict[Instance, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begin to ask."""
        self._tasks = {instance: asyncio.create_task(_ask(watch)) for instance, watch in self._first.items()}

    def turn(self, now: list[Instance]) -> None:
        """Ask the instances of now, and no longer those that went; who moved is asked at the new address."""
        turn_page(self._spec.instances, now)
        for gone in set(self._tasks) - set(now):
            self._tasks.pop(gone).cancel()
        for instance in now:
            if instance not in self._tasks and _can_ask(self._spec, instance):
                self._tasks[instance] = asyncio.create_task(_ask(self._watch(instance)))

    async def run(self) -> None:
        """For ever; an error of a watch, which is a bug and must be seen, ends it. Cancel it to stop asking."""
        self.start()
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                for task in [task for task in self._tasks.values() if task.done()]:
                    await task
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _watch(self, instance: Instance) -> Watch:
        spec = self._spec
        hz = spec.focus_hz if instance.component in spec.focus else spec.others_hz
        poller = POLLERS[instance.component](spec, instance)  # type: ignore[call-arg]
        return Watch(instance, poller, self._recorder, hz, spec.patience_ms / 1e3)


async def _ask(watch: Watch) -> None:
    try:
        await watch.run()
    finally:
        await watch.close()


def _can_ask(spec: ObserverSpec, instance: Instance) -> bool:
    component = instance.component
    needs = {
        "vault": spec.ca_file,
        "postgresql": spec.postgresql_password_file,
        "pgpool": spec.postgresql_password_file,
        "redis": spec.redis_password_file,
        "sentinel": spec.redis_password_file,
    }
    return component in POLLERS and bool(needs.get(component, "nothing"))
