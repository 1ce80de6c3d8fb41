"""Owners of fields: any Helm's fields become this one's, a number set by hand is given up, all others stay."""

from __future__ import annotations

from typing import Any

from chaosblink.targets.kubernetes.ownership import settled


def entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    """A line of the API's record."""
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields, **more}


REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
TEMPLATE: dict[str, Any] = {"f:spec": {"f:template": {"f:metadata": {}}}}


def test_two_names_of_helm_become_the_present_one_with_the_fields_of_both() -> None:
    (one,) = settled([entry("python", "Apply", REPLICAS), entry("python3", "Apply", TEMPLATE)], "helm")
    assert one["manager"] == "helm"
    assert one["fieldsV1"] == {"f:spec": {"f:replicas": {}, "f:template": {"f:metadata": {}}}}


def test_who_scaled_by_hand_owns_the_number_no_longer() -> None:
    by_hand = entry("kubectl", "Update", REPLICAS, subresource="scale")
    assert settled([entry("helm", "Apply", REPLICAS), by_hand], "helm") == [entry("helm", "Apply", REPLICAS)]


def test_what_a_controller_says_and_what_a_person_edited_stays_theirs() -> None:
    status = entry("kube-controller-manager", "Update", {"f:status": {}}, subresource="status")
    edited = entry("kubectl-edit", "Update", TEMPLATE)
    assert settled([entry("python", "Apply", REPLICAS), status, edited], "helm")[1:] == [status, edited]


def test_an_object_nobody_applied_is_left_as_it_is() -> None:
    edited = [entry("kubectl-edit", "Update", TEMPLATE)]
    assert settled(edited, "helm") == edited


def test_what_was_told_is_not_changed() -> None:
    told = [entry("python", "Apply", REPLICAS), entry("python3", "Apply", TEMPLATE)]
    settled(told, "helm")
    assert told[0] == entry("python", "Apply", {"f:spec": {"f:replicas": {}}})
