"""Does a recording count (rule 10): enough due operations issued, enough successes on both sides of the fault?"""

from __future__ import annotations

from dataclasses import dataclass

from chaosblink.checkers.rounds import Round

LOGIN = "login"
ISSUED_SHARE = 0.80
SUCCESSES = 100
"""At least 80 % of due operations issued, 100 successes before t0 and 100 after recovery: measuring rule 10."""
BYSTANDER_SUCCESSES = 10
"""Rule 10 is about paths in focus; a bystander, ten times slower, shows with a second of successes that it writes."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """One path's operations: how many were due and issued in the round, how many succeeded before t0 and at the end."""

    path: str
    due: int
    issued: int
    ok_before: int
    ok_after: int

    @property
    def issued_share(self) -> float:
        """Issued operations as a share of those due, 0 to 1."""
        return min(self.issued / self.due, 1.0) if self.due else 0.0


def coverage(recorded: Round, path: str, recovered_at: int | None) -> Coverage:
    """Count one path; due are all intervals from its first operation to the end of its client.

    The writers are one process and end together, so a writer that fell silent before the others is missed; the login
    prober is a process of its own.
    `recovered_at` (ns) is None when the path never recovered: then nothing succeeded after recovery.
    """
    operations = recorded.on(path)
    t0 = recorded.t0 or 0
    ok = [op for op in operations if op.outcome == "ok"]
    before = sum(1 for op in ok if op.end <= t0)
    after = 0 if recovered_at is None else sum(1 for op in ok if op.end >= max(recovered_at, t0))
    return Coverage(path, _due(recorded, path), len(operations), before, after)


def too_thin(recorded: Round, path: str, recovered_at: int | None) -> str:
    """Why this path's recording does not count, `` when it does."""
    if path not in recorded.paths():
        return f"round.json does not name the path {path}"
    found = coverage(recorded, path, recovered_at)
    if not found.issued:
        return f"no operation on {path}"
    if found.issued_share < ISSUED_SHARE:
        share = f"{100 * found.issued_share:.0f} %"
        return f"only {share} of the {found.due} operations due on {path} were issued, {ISSUED_SHARE:.0%} are needed"
    needed = SUCCESSES if path in recorded.paths(focus=True) else BYSTANDER_SUCCESSES
    if found.ok_before < needed:
        return f"only {found.ok_before} operations on {path} succeeded before t0, {needed} are needed"
    if found.ok_after < needed:
        return f"only {found.ok_after} operations on {path} succeeded after recovery, {needed} are needed"
    return ""


def _due(recorded: Round, path: str) -> int:
    mine = recorded.on(path)
    interval_ms = recorded.settings.get("paths", {}).get(path, {}).get("interval_ms", 0)
    if not mine or not interval_ms:
        return 0
    companions = [name for name in recorded.recorded_paths if (name == LOGIN) == (path == LOGIN)]
    last = max(op.due for name in companions for op in recorded.on(name)[-1:])
    return int((last - mine[0].due) / (interval_ms * 1e6)) + 1
