"""What searches of sessions and users share: conditions as SQL with bound values, pages, and the answer's shape."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from psycopg.rows import DictRow

from zitadel_standin import errors
from zitadel_standin.errors import ApiError

LARGEST_PAGE = 1000
"""Rows; ZITADEL refuses to list more at once."""
USUAL_PAGE = 100
"""Rows when the caller names no limit."""
LAST_OFFSET = 2**31


class ListQuery(msgspec.Struct):
    """Which part of the result is wanted; Protobuf's JSON carries 64-bit numbers as strings."""

    offset: int | str | None = None
    limit: int | str | None = None
    asc: bool | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a search, and how many there are in all."""

    items: list[dict[str, Any]]
    total: int

    def details(self) -> dict[str, Any]:
        """ZITADEL's ListDetails: this stand-in reads the tables themselves, so what it tells is of this moment."""
        return {"totalResult": str(self.total), "timestamp": datetime.datetime.now(datetime.UTC).isoformat()}


@dataclass(slots=True)
class Conditions:
    """Conditions joined by AND; every value is bound and never part of the text."""

    values: dict[str, Any] = field(default_factory=dict)
    _texts: list[str] = field(default_factory=list)

    def value(self, value: Any) -> str:
        """The placeholder of a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    def add(self, text: str) -> None:
        """One more condition."""
        self._texts.append(text)

    def text(self) -> str:
        """All conditions; true when there is none."""
        return " AND ".join(self._texts) or "true"


def one_of(query: msgspec.Struct) -> None:
    """ApiError unless exactly one field of a query is given (a Protobuf `oneof`)."""
    given = [name for name in query.__struct_fields__ if getattr(query, name) is not None]
    if len(given) != 1:
        raise ApiError(errors.INVALID_ARGUMENT, "each query needs exactly one condition that is supported")


def moment(text: str) -> datetime.datetime:
    """A moment in RFC 3339; ApiError when it is none. One without a zone is UTC, as Protobuf's timestamps are."""
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(errors.INVALID_ARGUMENT, "a timestamp must be RFC 3339") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)


def page(conditions: Conditions, asked: ListQuery | None, tie: str) -> str:
    """The end of a SELECT, behind its ORDER BY column: direction, `tie` as second column, limit and offset."""
    asked = asked or ListQuery()
    limit, offset = _number(asked.limit, LARGEST_PAGE) or USUAL_PAGE, _number(asked.offset, LAST_OFFSET)
    direction = "ASC" if asked.asc else "DESC"
    return f"{direction}, {tie} LIMIT {conditions.value(limit)} OFFSET {conditions.value(offset)}"


def found(rows: list[DictRow], as_json: Callable[[DictRow], dict[str, Any]]) -> Listed:
    """The page as JSON; each row's column `total` counts the whole result."""
    return Listed([as_json(row) for row in rows], rows[0]["total"] if rows else 0)


def _number(given: int | str | None, most: int) -> int:
    text = str(given or 0)
    if not text.isascii() or not text.isdecimal() or len(text) > 12 or int(text) > most:
        raise ApiError(errors.INVALID_ARGUMENT, f"limit and offset must be whole numbers, a limit at most {most}")
    return int(text)
