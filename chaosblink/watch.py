"""`chaosblink watch`: roles and login success live, while a person plays with the platform."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from statistics import median

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.table import Table

from chaosblink.experiments import specs
from chaosblink.history import Event
from chaosblink.observer.watches import Watches
from chaosblink.targets import Target
from chaosblink.workloads.addresses import turns
from chaosblink.workloads.attempt import Attempt
from chaosblink.workloads.https import trust
from chaosblink.workloads.login import LoginFailed, Tokens
from chaosblink.workloads.login_path import log_in, people

ROLES_HZ = 2.0
PATIENCE_S = 1.0
LOGIN_EVERY_S = 1.0
LOGIN_DEADLINE_S = 5.0
KEPT = 60
"""The last minute of logins."""
SAY_EVERY_S = 10.0
"""How often lines for a pipe repeat how logins go while nothing changes."""


@dataclass(slots=True)
class Board:
    """What is known of every instance and of the last minute of logins; `say` receives each change as one line."""

    say: Callable[[str], None]
    roles: dict[str, str] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    views: dict[str, dict[str, str]] = field(default_factory=dict)
    logins: deque[tuple[bool, float, str]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def event(self, event: Event) -> None:
        """A role or a view, as the observer words it; said when it is another than before."""
        name = str(event.data["instance"])
        if event.kind == "view":
            self._view(name, str(event.data["of"]), str(event.data["sees"]))
            return
        role, before = str(event.data["role"]) or "no answer", self.roles.get(name)
        if role != before:
            self.roles[name], self.since[name] = role, time.monotonic()
            self.say(f"{name} {role}" if before is None else f"{name} {before} -> {role}")

    def _view(self, name: str, of: str, sees: str) -> None:
        seen = self.views.setdefault(name, {})
        before = seen.get(of)
        seen[of] = sees or "nobody"
        if before not in (None, seen[of]) and sees != name:
            self.say(f"{name} now takes {seen[of]} for the leader of {of}")

    def login(self, ok: bool, ms: float, why: str) -> None:
        """One login that ended; said when it failed, and when it is the first to succeed after one that failed."""
        back = ok and bool(self.logins) and not self.logins[-1][0]
        self.logins.append((ok, ms, why))
        if not ok:
            self.say(f"login FAILED after {ms:.0f} ms: {why}")
        elif back:
            self.say(f"logins succeed again ({ms:.0f} ms)")

    def summary(self) -> str:
        """The last minute of logins in one line."""
        if not self.logins:
            return "no login has ended yet"
        good = [ms for ok, ms, _ in self.logins if ok]
        middle = f", median {median(good):.0f} ms" if good else ""
        bad = [why for ok, _, why in self.logins if not ok]
        last = f", last failure {bad[-1]}" if bad else ""
        return f"logins: {len(good)} of the last {len(self.logins)} succeeded{middle}{last}"

    def table(self) -> Table:
        """Everything, for a terminal."""
        table = Table(box=None, pad_edge=False, caption=self.summary(), caption_justify="left")
        for heading in ("instance", "role", "for", "takes for the leader"):
            table.add_column(heading, justify="right" if heading == "for" else "left", min_width=9)
        for name, role in self.roles.items():
            seen = self.views.get(name, {})
            others = sorted({f"{of}: {leader}" if len(seen) > 1 else leader for of, leader in seen.items()} - {name})
            age = f"{time.monotonic() - self.since[name]:.0f} s"
            table.add_row(name, f"[{_colour(role)}]{role}[/]", age, ", ".join(others))
        return table


LEADING = ("leader", "primary", "master")
ILL = ("no answer", "sealed", "not ready")


def _colour(role: str) -> str:
    return "red" if role in ILL else "bold green" if role in LEADING else "default"


def watch(target: Target, seconds: float | None, console: Console) -> None:
    """Show until Ctrl-C, SIGTERM or `seconds` have passed; a table on a terminal, else a line a change."""
    asyncio.run(_watch(target, seconds, console))


async def _watch(target: Target, seconds: float | None, console: Console) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    live = console.is_terminal
    board = Board(say=(lambda _: None) if live else _lines(console))
    # an instance nobody has asked yet stands on the board from the start, in the order of the platform
    if live:
        board.roles = {instance.name: "asked" for instance in target.instances()}
        board.since = dict.fromkeys(board.roles, time.monotonic())
    asked = _watches(target, board)
    show = _show(board, console) if live else _repeat(board)
    tasks = [asyncio.ensure_future(job) for job in (asked.run(), _logins(target, board), show)]
    ended = asyncio.ensure_future(stopping.wait())
    try:
        done, _ = await asyncio.wait({ended, *tasks}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {ended}:
            task.result()  # none of them ends by itself: whatever it died of is told
    finally:
        for task in (*tasks, ended):
            task.cancel()
        await asyncio.gather(*tasks, ended, return_exceptions=True)
    console.print(board.summary(), markup=False, highlight=False)


def _watches(target: Target, board: Board) -> Watches:
    spec = specs.observer(target, target.state, [])
    return Watches(replace(spec, others_hz=ROLES_HZ, patience_ms=PATIENCE_S * 1000), board)


async def _logins(target: Target, board: Board) -> None:
    """One login due every second, whether or not the last one came back."""
    route, under_way = specs.login_route(target), set()
    edges, context = turns(route.address), trust(route.ca_file)
    for number, person in enumerate(cycle(people(route))):
        attempt = Attempt("watch", number, 0, LOGIN_DEADLINE_S)
        task = asyncio.ensure_future(_login(partial(log_in, route, edges, context, person, attempt), attempt, board))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        await asyncio.sleep(LOGIN_EVERY_S)


async def _login(log_one_in: Callable[[], Awaitable[Tokens]], attempt: Attempt, board: Board) -> None:
    began, ok, why = time.monotonic(), False, ""
    try:
        async with asyncio.timeout(LOGIN_DEADLINE_S):
            await log_one_in()
        ok = True
    except LoginFailed as error:
        why = str(error)
    except TimeoutError:
        why = f"{attempt.step or 'connect'}:deadline"
    except (aiohttp.ClientError, OSError) as error:
        why = f"{attempt.step or 'connect'}:{type(error).__name__}"
    board.login(ok, (time.monotonic() - began) * 1000, why)


async def _show(board: Board, console: Console) -> None:
    with Live(board.table(), console=console, auto_refresh=False) as live:
        while True:
            live.update(board.table(), refresh=True)
            await asyncio.sleep(0.25)


async def _repeat(board: Board) -> None:
    while True:
        await asyncio.sleep(SAY_EVERY_S)
        board.say(board.summary())


def _lines(console: Console) -> Callable[[str], None]:
    def say(text: str) -> None:
        console.print(f"{time.strftime('%H:%M:%S')} {text}", markup=False, highlight=False, soft_wrap=True)
        console.file.flush()

    return say
