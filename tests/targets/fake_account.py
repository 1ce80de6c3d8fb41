"""A service account of a fake API and a Vault that knows its tokens: each is good while account and pod are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chaosblink.targets import PlatformError
from tests.targets.fake_api import FakeApi, Json
from tests.targets.fake_deployment import FakeDeployment


@dataclass
class FakeAccount:
    """`cached` is for how many questions Vault still lets a revoked token in; `forgetful` is a Vault that always does.

    `away` is a Vault that says nothing; `lost` an API that refuses to have the account made again.
    """

    api: FakeApi
    pods: FakeDeployment
    cached: int = 2
    forgetful: bool = False
    away: bool = False
    lost: bool = False
    lives: int = 1
    there: bool = True
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    rehearsed: int = 0

    def __post_init__(self) -> None:
        place = f"/api/v1/namespaces/{self.pods.namespace}/serviceaccounts/{self.pods.name}"
        owner = {"meta.helm.sh/release-name": "blinkchamber"}
        self.body: Json = {"metadata": {"name": self.pods.name, "labels": {"a": "b"}, "annotations": owner}}
        self.body["automountServiceAccountToken"] = False
        self.api.acts["GET", place] = lambda _: (200, self.item()) if self.there else (404, {"message": "not found"})
        self.api.acts["DELETE", place] = self._delete
        self.api.acts["PATCH", place] = self._apply
        self.api.acts["POST", f"{place}/token"] = self._issue

    @property
    def uid(self) -> str:
        """What tells this life of the account from others."""
        return f"account-life-{self.lives}"

    def item(self) -> Json:
        """The account as the API has it."""
        return {**self.body, "metadata": {**self.body["metadata"], "uid": self.uid, "resourceVersion": "7"}}

    def admits(self, _target: Any, token: str) -> bool:
        """Whether Vault lets the token in."""
        if self.away:
            raise PlatformError("Vault said neither yes nor no to a token: VaultDown")
        account, pod = self.tokens[token]
        if self.forgetful or (self.there and account == self.uid and pod in self.pods.uids()):
            return True
        self.cached -= 1
        return self.cached >= 0

    def _delete(self, body: Json) -> tuple[int, Any]:
        if body["preconditions"]["uid"] != self.uid:
            return 409, {"message": "the UID in the precondition does not match"}
        self.there = False
        return 200, {"status": "Success"}

    def _apply(self, body: Json) -> tuple[int, Any]:
        assert self.api.query["fieldManager"] == ["chaosblink-run"]
        assert "uid" not in body["metadata"]
        if self.api.query.get("dryRun"):
            self.rehearsed += 1
            return 200, self.item()
        if self.lost:
            return 403, {"message": "denied"}
        self.lives += not self.there
        self.there, self.body = True, {key: body[key] for key in ("metadata", "automountServiceAccountToken")}
        return 200, self.item()

    def _issue(self, body: Json) -> tuple[int, Any]:
        bound = body["spec"]["boundObjectRef"]
        assert bound["uid"] == self.pods.pods[bound["name"]]["metadata"]["uid"]
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = (self.uid, bound["uid"])
        return 201, {"status": {"token": token}}
