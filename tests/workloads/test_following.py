"""Clients follow instances that move: a replaced pod is asked at its new address, old addresses keep their names."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chaosblink.experiments import address_book
from chaosblink.experiments.address_book import AddressBook
from chaosblink.history import read_events
from chaosblink.observer.spec import ObserverSpec
from chaosblink.observer.watches import Watches
from chaosblink.targets import Instance, PlatformError
from chaosblink.waiting import until
from chaosblink.workloads.following import current, follow, read_book, turn_page
from chaosblink.workloads.recorder import Recorder
from chaosblink.workloads.sentinels import MasterOfSet
from chaosblink.workloads.spec import Spec


def _at(name: str, address: str, port: int = 8080) -> Instance:
    return Instance(name, "identity", 0, address, port, "worker")


class Moving:
    """A cluster whose instances a test moves."""

    kind = "kubernetes"

    def __init__(self, instances: list[Instance]) -> None:
        self.now: list[Instance] | None = instances

    def instances(self) -> list[Instance]:
        if self.now is None:
            raise PlatformError("the API is away")
        return self.now


def test_the_book_is_written_anew_when_a_pod_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_book, "LOOK_EVERY_S", 0.02)
    target: Any = Moving([_at("zitadel-a", "127.0.0.1")])
    with AddressBook(target, tmp_path) as book:
        assert read_book(Path(book.path)) == [_at("zitadel-a", "127.0.0.1")]
        target.now = None  # the last page stands
        target.now = [_at("zitadel-b", "127.0.0.2")]
        until(lambda: read_book(Path(book.path)) == target.now, 5, "the new page", every=0.02)


def test_a_local_platform_has_no_book(tmp_path: Path) -> None:
    target: Any = Moving([])
    target.kind = "local"
    with AddressBook(target, tmp_path) as book:
        assert book.path == ""
    assert list(tmp_path.iterdir()) == []


def test_an_old_address_keeps_its_name_and_is_no_instance_any_more() -> None:
    spec = Spec("r", "f", [], [_at("zitadel-a", "10.0.0.1"), _at("zitadel-c", "10.0.0.3")])
    turn_page(spec.instances, [_at("zitadel-a", "10.0.0.2")])
    assert spec.name_of("identity", "10.0.0.1") == "zitadel-a"
    assert spec.name_of("identity", "10.0.0.2") == "zitadel-a"
    assert spec.name_of("identity", "10.0.0.3") == "zitadel-c"
    assert current(spec.instances, "identity")[0].address == "10.0.0.2"


def test_a_follower_turns_the_page(tmp_path: Path) -> None:
    book = tmp_path / "book.json"
    turned: list[list[Instance]] = []

    async def run() -> None:
        following = asyncio.create_task(follow(str(book), turned.append))
        for address in ("10.0.0.1", "10.0.0.2"):
            book.write_text(json.dumps([{**_fields("zitadel-a", address)}]))
            async with asyncio.timeout(5):
                while not turned or turned[-1][0].address != address:
                    await asyncio.sleep(0.01)
        following.cancel()

    book.write_text("[]")
    asyncio.run(run())


def _fields(name: str, address: str) -> dict[str, Any]:
    return {"name": name, "component": "identity", "ordinal": 0, "address": address, "port": 8080, "node": "w"}


def test_the_observer_asks_a_moved_instance_at_its_new_address(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spec = ObserverSpec(str(tmp_path), [], [_at("zitadel-a", "127.0.0.1", 1)], others_hz=50)
        recorder = Recorder(tmp_path, [])
        watches = Watches(spec, recorder)
        running = asyncio.create_task(watches.run())
        async with asyncio.timeout(10):
            await _until_said(recorder, tmp_path, "zitadel-a", "")
            watches.turn([_at("zitadel-b", "127.0.0.1", port)])
            await _until_said(recorder, tmp_path, "zitadel-b", "ready")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        server.close()

    asyncio.run(run())


async def _until_said(recorder: Recorder, folder: Path, instance: str, role: str) -> None:
    while True:
        recorder.flush()
        said = [event.data for event in read_events(folder / "timeline.jsonl") if event.kind == "role"]
        if said and (said[-1]["instance"], said[-1]["role"]) == (instance, role):
            return
        await asyncio.sleep(0.02)


def test_sentinels_that_all_moved_are_found_again() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.strip().lower() == b"set-1":
                writer.write(b"*2\r\n$8\r\n10.0.0.9\r\n$4\r\n6379\r\n")
            elif line.strip().upper() in (b"HELLO", b"CLIENT"):
                writer.write(b"+OK\r\n")

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sentinels = [Instance(f"sentinel-{n}", "sentinel", n, "127.0.0.1", 1, "") for n in range(3)]
        asked = MasterOfSet("set-1", lambda: sentinels, "")
        assert await asked._ask() is None
        sentinels[:] = [Instance(f"sentinel-{n}", "sentinel", n, "127.0.0.1", port, "") for n in range(3)]
        assert await asked._ask() == ("10.0.0.9", 6379)
        await asked.close()
        server.close()

    asyncio.run(run())
