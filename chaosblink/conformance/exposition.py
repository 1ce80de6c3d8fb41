"""Prometheus' text format and the two expressions the owner's alerts are made of."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one scrape."""

    name: str
    labels: dict[str, str]
    value: float


def samples(text: str, name: str) -> list[Sample]:
    """The series of one name, in the order of the page; ValueError for a page that is not in the format."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return [Sample(one.name, dict(one.labels), float(one.value)) for one in found if one.name == name]


def fires(text: str, name: str) -> list[Sample]:
    """What `name == 0` selects: an alert with this expression fires for each, and not at all when there is none."""
    return [one for one in samples(text, name) if one.value == 0]


def names(text: str) -> set[str]:
    """Every name of a series on the page."""
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
