"""A fresh Vault is the chart's own, and nothing ties it to the live ones but the seal key."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import yaml

from chaosblink.procedures import fresh_vault
from chaosblink.targets.kubernetes.api import Api
from chaosblink.targets.local.layout import CHART


class Secrets:
    """As much of an API as is asked for."""

    def secret(self, namespace: str, name: str) -> dict[str, bytes]:
        """Every name's value is the name."""
        assert namespace == "blinkchamber"
        return {key: key.encode() for key in ("seal-key", "zitadel-password", "ca.crt", "tls.crt", "tls.key")} | {
            "of": name.encode()
        }


@pytest.mark.parametrize("unseals_itself", [True, False])
def test_it_stands_alone(unseals_itself: bool) -> None:
    settings = yaml.safe_load((CHART / "values.yaml").read_text())
    made = fresh_vault._objects(cast(Api, Secrets()), "fresh", settings, unseals_itself)
    assert made[0]["kind"] == "Namespace"
    assert {each["metadata"].get("namespace", "fresh") for each in made} == {"fresh"}
    (held,) = [each["data"] for each in made if each["metadata"]["name"] == "blinkchamber-secrets"]
    assert set(held) == {"seal-key"}, "a secret that a Vault does not need"
    pod: dict[str, Any] = made[-1]["spec"]
    told = {one["name"]: one.get("value", "") for one in pod["containers"][0]["env"]}
    assert "blinkchamber.svc" not in json.dumps(told), "it would look for the live ones"
    assert told["VAULT_AUTO_UNSEAL"] == str(unseals_itself).lower()
    assert pod["automountServiceAccountToken"] is False
    assert not {"affinity", "serviceAccountName", "topologySpreadConstraints"} & set(pod)
    names = [one["name"] for one in pod["containers"][0]["env"]]
    assert names.index("ADDRESS") < names.index("PEERS") < names.index("VAULT_ADDR")
