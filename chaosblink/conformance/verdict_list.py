"""A pytest plugin that turns each conformance test into a verdict; a test that never reported is unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from chaosblink.conformance.exposure import named_in
from chaosblink.verdicts import Verdict, Word

EXPERIMENT = "conformance"
NAMES = {
    "apis": "APIs", "ca": "CA", "hpa": "HPA", "json": "JSON", "noreplicas": "NOREPLICAS", "oidc": "OIDC",
    "pdb": "PDB", "pgpool": "PgPool", "pkce": "PKCE", "postgresql": "PostgreSQL", "raft": "Raft", "redis": "Redis",
    "rest": "REST", "sdk": "SDK", "sentinel": "Sentinel", "sentinels": "Sentinels", "sql": "SQL", "tls": "TLS",
    "vault": "Vault", "vaults": "Vault's", "zitadel": "ZITADEL", "zitadels": "ZITADEL's",
}  # fmt: skip
"""Words of test names as a reader knows them."""


class VerdictList:
    """Collects the reports of every worker; give it to `pytest.main` as a plugin of the controlling process."""

    def __init__(self) -> None:
        self._due: dict[str, None] = {}
        self._reports: dict[str, list[pytest.TestReport]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Called by pytest where tests run in this very process."""
        self._due |= dict.fromkeys(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Called by xdist with what a worker has collected."""
        self._due |= dict.fromkeys(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for set-up, call and teardown of every test."""
        self._reports.setdefault(report.nodeid, []).append(report)

    def verdicts(self, secrets: dict[bytes, str], command: Callable[[str], str]) -> list[Verdict]:
        """One verdict a test, in order of component and file; no secret stands in any of them.

        `command` says what repeats a test.
        """
        tests = sorted({*self._due, *self._reports})
        return [_verdict(test, self._reports.get(test, []), secrets, command) for test in tests]


def by_pytest(test: str) -> str:
    """The command that repeats a test alone, on a platform this machine reaches."""
    return f"pytest {test}"


def _verdict(
    test: str, reports: list[pytest.TestReport], secrets: dict[bytes, str], command: Callable[[str], str]
) -> Verdict:
    path, _, name = test.partition("@")[0].partition("::")
    told: dict[str, Any] = {}
    for report in reports:
        told |= dict(report.user_properties)
    word, why = _judge(reports)
    measured = told.get("measured")
    return Verdict(
        experiment=EXPERIMENT,
        promise=f"{path.split('/')[-2]}/{name.split('::')[-1].removeprefix('test_').replace('_', '-')}",
        sentence=sentence(name),
        component=str(told.get("component") or path.split("/")[-2]),
        bound=told.get("bound"),
        configured_bound=None,
        unit=str(told.get("unit", "")),
        measured={"rounds": [] if measured is None else [measured], "median": measured, "max": measured}
        | {"n": 0 if measured is None else 1},
        verdict=word,
        why=_redacted(why or str(told.get("found", "")), secrets),
        evidence=["conformance.json"],
        reproduce=command(test.partition("@")[0]),
    )


def _judge(reports: list[pytest.TestReport]) -> tuple[Word, str]:
    """A failed set-up or teardown is no answer of the platform, and no answer is unknown."""
    for report in reports:
        if report.failed:
            return ("fail" if report.when == "call" else "unknown"), f"{_told(report)}"
    for report in reports:
        if report.skipped:
            return "not run", _told(report)
    if not any(report.when == "call" and report.passed for report in reports):
        return "unknown", "the test did not report: its process died or the run was cut short"
    return "pass", ""


def _told(report: pytest.TestReport) -> str:
    """The first lines of what a test said when it failed or was skipped."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr or "no reason given")
    kept = [line.strip() for line in text.splitlines() if line.strip()][:4]
    return " ".join(kept).removeprefix("AssertionError: ")[:600]


def _redacted(text: str, secrets: dict[bytes, str]) -> str:
    names = named_in(text.encode(), secrets)
    return f"what it said holds a secret ({', '.join(names)}) and is left out" if names else text


def sentence(name: str) -> str:
    """`TestX::test_every_node_votes[vault-0]` as `Every node votes (vault-0)`."""
    bare, _, parameter = name.split("::")[-1].partition("[")
    words = [NAMES.get(word, word) for word in bare.removeprefix("test_").split("_")]
    if words[0].isdigit():
        words[0] = f"finding {words[0]}:"
    said = re.sub(r"^[a-z]", lambda first: first[0].upper(), " ".join(words))
    return f"{said} ({parameter.removesuffix(']')})" if parameter else said
