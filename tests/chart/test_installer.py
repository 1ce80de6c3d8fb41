"""What the installer makes and chooses, against an API server that keeps objects in memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import generated
from chaosblink.targets.kubernetes.api import Api, of_context
from chaosblink.targets.kubernetes.release import images, values


class Kept:
    """Secrets and ConfigMaps as the API server keeps them: a patch adds, nothing is made twice."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], dict[str, str]] = {}
        self.maps: dict[tuple[str, str], dict[str, str]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb, _, kind = name.partition("_namespaced_")
        kept = {"secret": self.secrets, "config_map": self.maps}[kind]

        def call(*arguments: Any, **_: Any) -> Any:
            if verb == "create":
                namespace, body = arguments
                assert (namespace, body["metadata"]["name"]) not in kept
                kept[namespace, body["metadata"]["name"]] = dict(body["data"])
                return SimpleNamespace(data="{}")
            key = (arguments[1], arguments[0])
            if key not in kept:
                raise ApiException(status=404)
            if verb == "patch":
                kept[key] |= arguments[2]["data"]
            return SimpleNamespace(data=json.dumps({"data": kept[key]}))

        return call


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def api(kept: Kept) -> Api:
    opened = Api(client.Configuration(), "test")
    opened.core = cast(client.CoreV1Api, kept)
    return opened


def test_each_namespace_gets_its_secrets_and_no_others(api: Api, kept: Kept) -> None:
    generated.ensure_secrets(api)
    for namespace, names in generated.HOLDERS.items():
        assert set(kept.secrets.get((namespace, generated.SECRET), {})) == set(names)
    assert len(base64.b64decode(kept.secrets["blinkchamber", generated.SECRET]["seal-key"])) == 32


def test_one_secret_has_one_value_everywhere(api: Api, kept: Kept) -> None:
    generated.ensure_secrets(api)
    held = [data["redis-password"] for data in kept.secrets.values() if "redis-password" in data]
    assert len(held) == 5
    assert len(set(held)) == 1


def test_an_installation_never_changes_a_secret_that_is_there(api: Api, kept: Kept) -> None:
    assert generated.ensure_secrets(api) > 0
    kept.secrets["chaosblink", generated.SECRET]["chaos-role-id"] = "eA=="
    before = {key: dict(data) for key, data in kept.secrets.items()}
    assert generated.ensure_secrets(api) == 0
    del kept.secrets["ingress", generated.SECRET]
    assert generated.ensure_secrets(api) == 1
    assert kept.secrets == before


def test_certificates_are_of_one_authority_and_name_their_services(api: Api, kept: Kept) -> None:
    generated.ensure_secrets(api)
    authority, made = generated.ensure_certificates(api)
    assert made
    ca = x509.load_pem_x509_certificate(authority.encode())
    assert {data["ca.crt"] for data in kept.maps.values()} == {authority}
    assert {namespace for namespace, _ in kept.maps} == set(generated.HOLDERS)
    for namespace, name, names in generated.CERTIFICATES:
        issued = x509.load_pem_x509_certificate(base64.b64decode(kept.secrets[namespace, name]["tls.crt"]))
        issued.verify_directly_issued_by(ca)
        alternatives = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert alternatives.get_values_for_type(x509.DNSName) == list(names)
        assert issued.not_valid_after_utc - issued.not_valid_before_utc > generated.LIFETIME


def test_certificates_are_kept_until_one_is_missing(api: Api, kept: Kept) -> None:
    first, _ = generated.ensure_certificates(api)
    assert generated.ensure_certificates(api) == (first, False)
    del kept.secrets["ingress", "edge-tls"]
    second, made = generated.ensure_certificates(api)
    assert made
    assert second != first


def test_certificates_about_to_expire_are_made_anew(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "LIFETIME", generated.RENEW_BEFORE / 2)
    first, _ = generated.ensure_certificates(api)
    monkeypatch.undo()
    second, made = generated.ensure_certificates(api)
    assert made
    assert second != first


def test_images_env_becomes_values(tmp_path: Path) -> None:
    file = tmp_path / "images.env"
    file.write_text("redis=registry.test:5000/redis:abc\nbase=blinkchamber.test/base:1\n\n")
    assert images(file) == {"images": {"redis": {"repository": "registry.test:5000/redis", "tag": "abc"}}}


@pytest.mark.parametrize("line", ["redis", "redis=blinkchamber.test/redis", "redis=registry.test:5000/redis"])
def test_a_line_without_a_tag_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "images.env"
    file.write_text(line)
    with pytest.raises(PlatformError, match="is not name=repository:tag"):
        images(file)


def test_a_missing_images_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="build the images first"):
        images(tmp_path / "none")


def test_kind_gets_its_values_and_overrides_come_last() -> None:
    assert values("kind-x", (), None)["scheduling"] == {"avoidSuiteNode": True, "tolerateControlPlane": True}
    chosen = values("kind-x", ("scheduling.avoidSuiteNode=false", "zitadel.replicaCount=3"), None)
    assert chosen["scheduling"] == {"avoidSuiteNode": False, "tolerateControlPlane": True}
    assert chosen["zitadel"] == {"replicaCount": 3}
    assert values("production", (), None) == {}


def test_an_override_that_is_no_assignment_is_one_line() -> None:
    with pytest.raises(PlatformError, match="--set a"):
        values("production", ("a",), None)


def test_a_context_nobody_knows_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(PlatformError, match="no context 'nowhere' can be used"):
        of_context("nowhere")
