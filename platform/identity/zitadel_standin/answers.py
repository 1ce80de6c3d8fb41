"""Parts of the v2 API's answers and requests that several services share."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg.rows import DictRow
from starlette.requests import Request

from zitadel_standin import errors
from zitadel_standin.errors import ApiError
from zitadel_standin.events import ORGANISATION_ID


def details(told: DictRow) -> dict[str, Any]:
    """ZITADEL's Details of a change: the sequence and time of its last event."""
    return {
        "sequence": str(told["told_sequence"]),
        "changeDate": told["told_at"].isoformat(),
        "resourceOwner": ORGANISATION_ID,
    }


def created(request: Request) -> int:
    """201 by REST; Connect answers 200 whatever was done."""
    return 201 if request.scope["path"].startswith("/v2/") else 200


def refuse_given(body: msgspec.Struct, *names: str) -> None:
    """ApiError when a field is given that this stand-in does not serve: a check left out would pass for one made."""
    for name in names:
        if getattr(body, name) is not None:
            raise ApiError(errors.INVALID_ARGUMENT, f"{name} is not supported by the ZITADEL stand-in")
