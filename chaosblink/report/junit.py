"""Verdicts as JUnit XML: one test case a verdict, unknown is a failure, not run is skipped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from chaosblink.report.recording import read_verdicts
from chaosblink.report.verdict_view import FAIL, NOT_RUN, UNKNOWN, amount, sentence, word_of

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(run: Path) -> Path:
    """Write junit.xml into the run folder and return its path; no verdict at all is one failing test case."""
    missing: list[str] = []
    verdicts = read_verdicts(run, missing)
    suites = ElementTree.Element("testsuites", name="chaosblink")
    by_experiment: dict[str, list[dict[str, Any]]] = {}
    for verdict in verdicts or [_nothing_judged(missing)]:
        by_experiment.setdefault(str(verdict.get("experiment") or "run"), []).append(verdict)
    for experiment, members in by_experiment.items():
        suites.append(_suite(experiment, members))
    path = run / "junit.xml"
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
    return path


def _suite(experiment: str, verdicts: list[dict[str, Any]]) -> ElementTree.Element:
    words = [word_of(verdict) for verdict in verdicts]
    counts = {"tests": len(words), "failures": words.count(FAIL) + words.count(UNKNOWN), "errors": 0}
    counts["skipped"] = words.count(NOT_RUN)
    suite = ElementTree.Element("testsuite", {"name": experiment} | {key: str(value) for key, value in counts.items()})
    for verdict in verdicts:
        suite.append(_case(experiment, verdict))
    return suite


def _case(experiment: str, verdict: dict[str, Any]) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_plain(experiment), name=_plain(sentence(verdict)))
    word, why = word_of(verdict), _plain(str(verdict.get("why") or "no reason given"))
    if word in (FAIL, UNKNOWN):
        ElementTree.SubElement(case, "failure", type=word, message=f"{word}: {why}").text = _plain(_details(verdict))
    elif word == NOT_RUN:
        ElementTree.SubElement(case, "skipped", message=why)
    return case


def _details(verdict: dict[str, Any]) -> str:
    measured, unit = verdict.get("measured") or {}, str(verdict.get("unit") or "")
    lines = [
        f"promise: {verdict.get('promise', '')}",
        f"bound: {amount(verdict.get('bound'), unit)}",
        f"configured bound: {amount(verdict.get('configured_bound'), unit)}",
        f"measured: median {amount(measured.get('median'), unit)}, max {amount(measured.get('max'), unit)}, "
        f"n {amount(measured.get('n'))}, rounds {measured.get('rounds')}",
        f"evidence: {', '.join(str(path) for path in verdict.get('evidence') or [])}",
        f"reproduce: {verdict.get('reproduce') or 'no command given'}",
    ]
    return "\n".join(lines)


def _nothing_judged(missing: list[str]) -> dict[str, Any]:
    why = "; ".join(missing) or "verdicts.json is empty"
    return {"sentence": "The run was judged", "verdict": UNKNOWN, "why": why}


def _plain(text: str) -> str:
    """Without the control characters XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
