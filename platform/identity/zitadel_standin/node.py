"""What one node holds while it runs; every handler and every step of the login gets it as its first argument."""

from __future__ import annotations

from dataclasses import dataclass

from joserfc.jwk import RSAKey

from zitadel_standin.cache import Cache
from zitadel_standin.database import Database
from zitadel_standin.settings import Settings


@dataclass(slots=True)
class Node:
    """`key` is None until the database has been prepared; before that only `/debug` answers."""

    settings: Settings
    database: Database
    cache: Cache
    key: RSAKey | None = None

    @property
    def signing_key(self) -> RSAKey:
        """The platform's signing key; RuntimeError before the database was prepared."""
        if self.key is None:
            raise RuntimeError("the database has not been prepared yet")
        return self.key
