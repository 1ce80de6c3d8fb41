"""After recovery: what each server really holds of what was written, asked of every server itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from chaosblink.history import FinalRead, store_of
from chaosblink.workloads.final_postgresql import read_postgresql
from chaosblink.workloads.final_redis import read_redis
from chaosblink.workloads.final_vault import read_vault
from chaosblink.workloads.spec import Spec


def stores(spec: Spec) -> list[str]:
    """The stores that the paths of a spec write to, in order of their first path."""
    stored = (store_of(path.path) for path in spec.paths)
    return list(dict.fromkeys(store for store in stored if store not in ("login", "eventrelay")))


def read_all(spec: Spec) -> list[FinalRead]:
    """One read a server and store; never raises for a server: what could not be read is there, and not complete.

    Every replica gets until `spec.final_read_deadline_s` to catch up with its leader.
    """
    names = stores(spec)
    if not names:
        return []
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return [read for reads in pool.map(lambda store: _read(spec, store), names) for read in reads]


def _read(spec: Spec, store: str) -> list[FinalRead]:
    if store == "postgresql":
        return read_postgresql(spec)
    if store == "vault":
        return read_vault(spec)
    return read_redis(spec, store)
