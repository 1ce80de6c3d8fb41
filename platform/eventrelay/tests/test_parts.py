"""What needs no server: table, element, cursor, settings."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from pathlib import Path

import pytest
from eventrelay.element import LARGEST, ElementError, Event, pack, unpack
from eventrelay.settings import SettingsError, from_environment
from eventrelay.source import Cursor
from eventrelay.table import CLASSES, QUEUES, REST, TABLE, classify
from hypothesis import given
from hypothesis import strategies as st

text = st.text(max_size=20)
events = st.builds(Event, text, text, text, text, text, st.integers(), text, text, text, text, st.integers())


def test_every_name_of_the_table_has_a_class_and_every_class_a_list() -> None:
    assert set(TABLE.values()) <= set(CLASSES)
    assert set(CLASSES.values()) == set(QUEUES)


def test_the_owners_two_page_views_have_no_source_in_zitadel() -> None:
    assert set(CLASSES) - set(TABLE.values()) == {"user.profile_viewed", "analytics.page_viewed"}


def test_an_event_the_table_does_not_know_keeps_its_name_and_goes_to_the_low_list() -> None:
    assert classify("session.token.set") == (REST, "session.token.set")
    assert classify("user.human.password.check.failed") == ("high", "auth.failed")


@given(st.lists(events, max_size=5))
def test_a_batch_comes_out_as_it_went_in(batch: list[Event]) -> None:
    assert unpack(pack(batch)) == batch


@pytest.mark.parametrize(
    "element",
    [
        b"",
        b"plain",
        pack([])[:-1],
        pack([]) + b"x",
        zlib.compress(b"[]"),
        zlib.compress(json.dumps({"version": 2, "events": []}).encode()),
        zlib.compress(json.dumps({"version": 1, "events": [{"id": "x"}]}).encode()),
        zlib.compress(b" " * (LARGEST + 1)),
    ],
)
def test_anything_else_is_no_batch(element: bytes) -> None:
    with pytest.raises(ElementError):
        unpack(element)


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(3, Decimal("1790000000.123456"), 7)
    assert Cursor.parse(str(cursor)) == cursor
    for other in ("", "1/2", "1/x/3", "1/2/3/4"):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever int() and the unpacking say
            Cursor.parse(other)


@pytest.mark.parametrize(("now", "back_to"), [("1010", "995"), ("990", "985")])
def test_a_cursor_goes_back_behind_whichever_clock_is_earlier(now: str, back_to: str) -> None:
    assert Cursor(1, Decimal(1000), 3).set_back(2, Decimal(now), Decimal(5)) == Cursor(2, Decimal(back_to), 0)


def test_settings_name_what_is_wrong_and_never_a_secret(tmp_path: Path) -> None:
    (tmp_path / "database").write_text("hidden-1\n")
    (tmp_path / "redis").write_text("hidden-2")
    environment = {
        "INSTANCE": "eventrelay-0",
        "ADDRESS": "127.0.0.1",
        "DATABASE_HOST": "db",
        "REDIS_HOST": "redis",
        "DATABASE_PASSWORD_FILE": str(tmp_path / "database"),
        "REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
    }
    read = from_environment(environment, "zitadel")
    assert (read.batch_size, read.batch_ms, read.database_name) == (100, 1000, "zitadel")
    assert read.database_password == "hidden-1"
    assert "hidden" not in repr(read)
    for name, value in (("REDIS_HOST", ""), ("EVENTS_BATCH_SIZE", "many"), ("REDIS_PASSWORD_FILE", "/nowhere")):
        with pytest.raises(SettingsError, match=name):
            from_environment(environment | {name: value}, "zitadel")
