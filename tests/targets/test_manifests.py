"""What `chaosblink allow` and a run put into a cluster: no right too many, nothing repeated, the suite's node."""

from __future__ import annotations

import yaml

from chaosblink.targets.kubernetes import names
from chaosblink.targets.kubernetes.manifests import render


def test_a_run_may_read_the_platform_and_break_it_in_the_ways_there_are() -> None:
    rules = [
        (verb, resource, tuple(rule.get("resourceNames", ())))
        for each in render("suite", image="i", certificate="c", nodes=["worker", "worker2"])
        if each["kind"] in ("Role", "ClusterRole") and each["metadata"]["name"] != "chaosblink-agent"
        for rule in each["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    ]
    changes = {(verb, resource, which) for verb, resource, which in rules if verb not in ("get", "list")}
    assert changes == {
        ("update", "leases", (names.LEASE,)),
        ("patch", "secrets", (names.TOKEN,)),
        ("delete", "pods", ()),
        ("create", "pods/eviction", ()),
        ("patch", "statefulsets", ()),
        ("patch", "deployments", ()),
        ("patch", "deployments/scale", (names.IDENTITY, names.INJECTOR)),
        ("patch", "nodes", ("worker", "worker2")),
        ("delete", "serviceaccounts", (names.IDENTITY,)),
        ("create", "serviceaccounts", (names.IDENTITY,)),
        ("patch", "serviceaccounts", (names.IDENTITY,)),
        ("create", "serviceaccounts/token", (names.IDENTITY,)),
    }
    assert not [rule for rule in rules if rule[1] == "secrets" and rule[0] in ("get", "list")]
    assert [rule for rule in rules if rule[1] == "namespaces"] == [
        ("get", "namespaces", ("kube-system", *names.PLATFORM_NAMESPACES))
    ]


def test_where_no_node_may_be_drained_no_right_to_any_is_given() -> None:
    made = render("suite", image="i", certificate="c", nodes=[])
    assert not [each for each in made if each["metadata"]["name"] == "chaosblink-drain"]


def test_what_a_run_may_patch_is_bound_by_admission() -> None:
    made = render("suite", image="i", certificate="c", nodes=["worker"])
    policies = {one["metadata"]["name"]: one["spec"] for one in made if one["kind"] == "ValidatingAdmissionPolicy"}
    bound = [one["spec"] for one in made if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    resources = [rule["resources"] for spec in policies.values() for rule in spec["matchConstraints"]["resourceRules"]]
    wanted = [["deployments/scale"], ["nodes"], ["serviceaccounts"], ["statefulsets", "deployments"]]
    assert sorted(resources) == wanted
    assert {spec["policyName"] for spec in bound} == set(policies)
    assert all(spec["validationActions"] == ["Deny"] for spec in bound)
    assert all("chaosblink:chaosblink-run" in spec["matchConditions"][0]["expression"] for spec in policies.values())


def test_a_job_is_not_repeated_and_sits_on_the_suites_node() -> None:
    variables = {"image": "i", "cluster": "u", "options": '--target kind --name "x"', "commit": "c", "folder": "f"}
    variables |= {"host": "198.19.0.1", "account": "chaosblink-run"}
    (job,) = render("job", name="n", arguments=["run", "--experiment=a b"], **variables)
    pod = job["spec"]["template"]["spec"]
    assert job["spec"]["backoffLimit"] == 0
    assert pod["nodeSelector"] == {"chaosblink.io/suite": "true"}
    assert pod["containers"][0]["command"] == ["chaosblink", "run", "--experiment=a b"]
    assert pod["serviceAccountName"] == "chaosblink-run"
    assert {"name": "CHAOSBLINK_NODE_DRIVER", "value": "198.19.0.1"} in pod["containers"][0]["env"]
    assert pod["volumes"][0]["secret"]["defaultMode"] == 0o400
    (nightly,) = render("nightly", schedule="0 2 * * *", arguments=["run"], **variables)
    assert nightly["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert yaml.safe_load(yaml.safe_dump(nightly)) == nightly
