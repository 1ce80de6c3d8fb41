"""Certain failures of a Redis write: error replies given before a command runs."""

from __future__ import annotations

from redis.exceptions import ResponseError

CODES = {
    "READONLY": "a replica took no write: the client holds a stale master",
    "NOREPLICAS": "fewer replicas than min-replicas-to-write: refused before it ran",
    "LOADING": "the dataset is still being loaded: refused",
    "MASTERDOWN": "a replica without its master and replica-serve-stale-data off: refused",
    "CLUSTERDOWN": "no cluster to write to: refused",
    "EXECABORT": "the transaction was discarded",
    "NOAUTH": "not authenticated: refused",
    "WRONGPASS": "wrong password: refused",
    "OOM": "memory limit with noeviction: refused before it ran",
    "MISCONF": "persistence fails and stop-writes-on-bgsave-error is on: refused before it ran",
    "BUSY": "a script runs: refused",
    "TRYAGAIN": "a slot is being moved: refused",
}
"""First word of the error reply and why the command had no effect (Redis source, `processCommand` in server.c)."""


def code(error: BaseException) -> str:
    """The first word of an error reply; empty when the error is none.

    redis-py turns known replies into exception types and may cut their first word off, hence the look at the type.
    """
    by_type = {
        "ReadOnlyError": "READONLY",
        "BusyLoadingError": "LOADING",
        "MasterDownError": "MASTERDOWN",
        "ClusterDownError": "CLUSTERDOWN",
        "ExecAbortError": "EXECABORT",
        "AuthenticationRequiredError": "NOAUTH",
        "AuthenticationError": "WRONGPASS",
        "OutOfMemoryError": "OOM",
        "TryAgainError": "TRYAGAIN",
    }
    known = by_type.get(type(error).__name__)
    if known:
        return known
    if not isinstance(error, ResponseError):
        return ""
    words = str(error).split(maxsplit=1)
    return words[0].rstrip(":") if words and words[0].rstrip(":").isupper() else ""


def is_certain(error: BaseException) -> bool:
    """Whether an error proves that the write did not and will not happen."""
    return code(error) in CODES


def reason(error: BaseException) -> str:
    """A short name: the reply's first word, or what happened to the connection."""
    if code(error):
        return code(error)
    if isinstance(error, TimeoutError):
        return "deadline"
    text = str(error)
    for word in ("refused", "reset by peer", "closed by server", "timeout", "unreachable"):
        if word in text.lower():
            return {"reset by peer": "connection-lost", "closed by server": "connection-lost"}.get(word, word)
    return f"{type(error).__name__}: {text[:80]}"
