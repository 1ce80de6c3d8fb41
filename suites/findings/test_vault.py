"""Where the owner's document contradicts Vault or itself, on real servers: docs/findings.md 1 to 4, 8, 12 and 16."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chaosblink.components import https
from chaosblink.components.vault import HOST, Vault
from chaosblink.conformance.inside import inside
from chaosblink.conformance.logins import vault_as
from chaosblink.conformance.scratch import NOBODY, ScratchVault, Vaults, vaults
from chaosblink.conformance.wire import wire
from chaosblink.targets import PlatformError, Target
from chaosblink.targets.local import preflight
from chaosblink.targets.local.secret_files import write_private
from chaosblink.waiting import Timeout, until

pytestmark = pytest.mark.xdist_group("scratch-vault")

DOCUMENTS_POLICY = 'path "secret/data/postgres/*" {\n  capabilities = ["read"]\n}\n'


@pytest.fixture(scope="module")
def scratch() -> Iterator[Vaults]:
    """Scratch servers of one CA, ended with the module."""
    with vaults() as made:
        yield made


@pytest.fixture(scope="module")
def lone(scratch: Vaults) -> ScratchVault:
    """One server that is initialised, unsealed and has a secret where the document has it."""
    server = scratch.make("lone").start()
    server.initialise()
    server.mount_secrets()
    server.ask("POST", "secret/data/postgres", {"data": {"password": "of-the-document"}}).raise_for_status()
    return server


def token_with(server: ScratchVault, policy: str) -> str:
    """A token that has only this policy."""
    name = f"policy-{secrets.token_hex(4)}"
    server.ask("POST", f"sys/policies/acl/{name}", {"policy": policy}).raise_for_status()
    made = server.ask("POST", "auth/token/create", {"policies": [name], "no_default_policy": True}).raise_for_status()
    return str(made.json()["auth"]["client_token"])


INJECTORS_TEMPLATE = """{{{{ with secret "{path}" }}}}{{{{ range $k, $v := .Data }}}}{{{{ $k }}}}: {{{{ $v }}}}
{{{{ end }}}}{{{{ end }}}}"""
"""What vault-k8s makes of an annotation's value when no template is given (agent-inject/agent/config.go)."""


def render(agent_folder: Path, server: ScratchVault, template: str) -> tuple[int, str, str]:
    """Exit code and output of a Vault agent that renders one template once, and what it rendered."""
    agent_folder.mkdir(mode=0o700)
    write_private(agent_folder / "token", server.token.encode())
    (agent_folder / "agent.hcl").write_text(
        f"""
exit_after_auth = true
vault {{
  address = "https://{server.address}:8200"
  ca_cert = "{server.ca_file}"
  retry {{ num_retries = -1 }}
}}
auto_auth {{
  method "token_file" {{ config = {{ token_file_path = "{agent_folder}/token" }} }}
}}
template_config {{ exit_on_retry_failure = true }}
template {{
  contents = <<EOT
{template}
EOT
  destination = "{agent_folder}/rendered"
  perms = "0600"
  error_on_missing_key = true
}}
"""
    )
    command = [str(preflight.bao()), "agent", f"-config={agent_folder}/agent.hcl", "-log-level=warn"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    rendered = agent_folder / "rendered"
    return done.returncode, done.stdout + done.stderr, rendered.read_text().strip() if rendered.exists() else ""


def test_1_a_policy_on_a_glob_does_not_cover_the_path_itself(lone: ScratchVault) -> None:
    token = token_with(lone, DOCUMENTS_POLICY)
    lone.ask("POST", "secret/data/postgres/zitadel", {"data": {"password": "below"}}).raise_for_status()
    assert lone.ask("GET", "secret/data/postgres/zitadel", token=token).status_code == 200
    assert lone.ask("GET", "secret/data/postgres", token=token).status_code == 403


def test_1_the_platforms_policies_cover_both(target: Target) -> None:
    """A path that may be read and holds nothing answers 404, one that may not 403."""
    with vault_as(target, "zitadel") as vault:
        for name in ("postgres", "redis", "zitadel"):
            assert vault.ask("GET", f"secret/data/{name}").status_code == 404, name
            assert vault.ask("GET", f"secret/data/{name}/conformance-none").status_code == 404, name
        assert vault.ask("GET", "secret/data/other").status_code == 403


def test_2_a_key_behind_a_hash_is_dropped_and_picks_nothing(lone: ScratchVault, tmp_path: Path) -> None:
    """The agent takes what follows # for a fragment: the file holds the whole answer, and not the password."""
    assert lone.ask("GET", "secret/data/postgres%23password").status_code == 404
    asked = INJECTORS_TEMPLATE.format(path="secret/data/postgres#password")
    code, said, rendered = render(tmp_path / "hash", lone, asked)
    assert code == 0, said[-300:]
    assert rendered != "of-the-document"
    assert "data: map[password:of-the-document]" in rendered


def test_2_a_template_picks_the_key(lone: ScratchVault, tmp_path: Path) -> None:
    picked = '{{ with secret "secret/data/postgres" }}{{ .Data.data.password }}{{ end }}'
    code, said, rendered = render(tmp_path / "template", lone, picked)
    assert (code, rendered) == (0, "of-the-document"), said[-300:]


def test_2_the_platform_picks_the_key_in_a_template(target: Target) -> None:
    for instance in target.instances("identity"):
        try:
            agent = inside(target, instance, ["sh", "-c", 'cat "$DATA/agent.hcl"'])
        except PlatformError as error:
            pytest.skip(f"the injector's own agent renders the files here: {error}")
        picked = '{{ with secret "secret/data/postgres/zitadel" }}{{ .Data.data.password }}{{ end }}'
        assert picked in agent.replace('\\"', '"'), f"{instance.name} has no template for the database's password"
        held = inside(target, instance, ["sh", "-c", 'test -s "$DATA/secrets/database-password" && echo held'])
        assert held.strip() == "held", instance.name


def test_3_a_new_node_that_knows_only_vault_0_cannot_join_while_that_is_gone(scratch: Vaults) -> None:
    """The survivor leads all the time; only what the new node was told decides."""
    key = secrets.token_bytes(32)
    survivor, comer = scratch.make("vault-1", key), scratch.make("vault-2", key)
    survivor.start({"vault-0": NOBODY, "vault-2": comer.address}).initialise()
    try:
        comer.start({"vault-0": NOBODY})
        with pytest.raises(Timeout):
            until(lambda: joined(comer), 6, "the new node has joined", every=0.2)
        assert survivor.ask("GET", "sys/health").status_code == 200
        comer.stop()
        comer.start({"vault-0": NOBODY, "vault-1": survivor.address})
        until(lambda: joined(comer), 30, "the new node has joined", every=0.2)
    finally:
        survivor.stop()
        comer.stop()


def joined(server: ScratchVault) -> bool:
    """Whether a server belongs to a cluster and has unsealed itself."""
    state = server.ask("GET", "sys/seal-status").json()
    return bool(state["initialized"]) and not state["sealed"]


def test_3_every_node_of_the_platform_knows_every_other(target: Target) -> None:
    for instance in target.instances("vault"):
        configuration = inside(target, instance, ["sh", "-c", 'cat "$DATA/instance.hcl"'])
        told = [line.split('"')[1] for line in configuration.splitlines() if "leader_api_addr" in line]
        assert len(told) == len(target.instances("vault")) - 1, f"{instance.name} knows {told}"
        assert len(set(told)) == len(told), f"{instance.name} knows {told}"


@pytest.mark.parametrize("written", ["vault-${POD_NAME}", "vault-vault-0"])
def test_4_the_documents_node_id_is_not_the_pods_name(scratch: Vaults, written: str) -> None:
    """Nothing replaces ${POD_NAME} in Vault's configuration: every node would have the same id. Where a start script
    replaces it, `vault-` stands twice."""
    server = scratch.make(f"node-{secrets.token_hex(2)}")
    configuration = f"""
listener "tcp" {{
  address = "{server.address}:8200"
  cluster_address = "{server.address}:8201"
  tls_cert_file = "{server.folder}/tls/tls.crt"
  tls_key_file = "{server.folder}/tls/tls.key"
}}
api_addr = "https://{server.address}:8200"
cluster_addr = "https://{server.address}:8201"
seal "static" {{
  current_key_id = "1"
  current_key = "file://{server.folder}/secrets/seal-key"
}}
storage "raft" {{
  path = "{server.folder}/data"
  node_id = "{written}"
}}
"""
    server.start_with(configuration, {"POD_NAME": "vault-0"})
    try:
        server.initialise()
        found = server.ask("GET", "sys/storage/raft/configuration").json()["data"]["config"]["servers"]
    finally:
        server.stop()
    assert [one["node_id"] for one in found] == [written]
    assert written != "vault-0"


def test_4_a_node_of_the_platform_is_called_what_its_instance_is_called(target: Target) -> None:
    with vault_as(target, "chaos") as vault:
        servers = vault.ask("GET", "sys/storage/raft/configuration").json()["data"]["config"]["servers"]
    assert {one["node_id"] for one in servers} == {instance.name for instance in target.instances("vault")}


def test_8_kv_get_with_data_in_the_path_asks_for_data_twice(target: Target, tmp_path: Path) -> None:
    """The document's command as written, on the live platform, as the role that may read the secret itself."""
    path = f"chaos/findings-{secrets.token_hex(4)}"
    with vault_as(target, "chaos") as vault:
        vault.ask("POST", f"secret/data/{path}", {"data": {"value": "found"}}).raise_for_status()
        try:
            written = kv_get(target, tmp_path / "written", vault.token, f"secret/data/{path}")
            corrected = kv_get(target, tmp_path / "corrected", vault.token, f"secret/{path}")
        finally:
            vault.ask("DELETE", f"secret/metadata/{path}")
    assert written.returncode != 0
    assert f"secret/data/data/{path}" in written.stderr, written.stderr[-300:]
    assert (corrected.returncode, corrected.stdout.strip()) == (0, "found"), corrected.stderr[-300:]


def kv_get(target: Target, home: Path, token: str, path: str) -> subprocess.CompletedProcess[str]:
    """`vault kv get -field=value PATH`, with the token where the program keeps it: in a file of the home directory."""
    home.mkdir(mode=0o700)
    for name in (".vault-token", ".bao-token"):
        write_private(home / name, token.encode())
    leader = next(i for i in target.instances("vault") if Vault(target).role(i) == "leader")
    variables = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    for prefix in ("VAULT", "BAO"):
        variables |= {
            f"{prefix}_ADDR": f"https://{leader.address}:{leader.port}",
            f"{prefix}_CACERT": str(target.ca_file),
            f"{prefix}_TLS_SERVER_NAME": HOST,
        }
    command = [str(preflight.bao()), "kv", "get", "-field=value", path]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=30)


def test_12_without_tls_on_the_listener_a_secret_crosses_the_network_in_clear(scratch: Vaults) -> None:
    """A server with the document's listener, and a listener on the wire between it and its client."""
    value, root = secrets.token_hex(16), secrets.token_hex(8)
    server = scratch.make(f"clear-{secrets.token_hex(2)}").start_without_tls(root)
    try:
        with (
            wire(server.address, 8200) as listened,
            httpx.Client(base_url=f"http://127.0.0.1:{listened.port}", headers={"X-Vault-Token": root}) as client,
        ):
            client.post("/v1/secret/data/app", json={"data": {"password": value}}).raise_for_status()
            assert client.get("/v1/secret/data/app").json()["data"]["data"]["password"] == value
            assert value.encode() in listened.heard
            assert root.encode() in listened.heard
    finally:
        server.stop()


def test_12_on_the_platform_a_listener_reads_neither_secret_nor_token(target: Target) -> None:
    value, path = secrets.token_hex(16), f"chaos/wire-{secrets.token_hex(4)}"
    with vault_as(target, "chaos") as vault:
        token = vault.token
        for instance in target.instances("vault"):
            if Vault(target).role(instance) != "leader":
                continue
            with (
                wire(instance.address, instance.port) as listened,
                https.client(target, "127.0.0.1", listened.port, host=HOST) as client,
            ):
                client.headers["X-Vault-Token"] = token
                client.post(f"/v1/secret/data/{path}", json={"data": {"value": value}}).raise_for_status()
                assert client.get(f"/v1/secret/data/{path}").json()["data"]["data"]["value"] == value
                assert len(listened.heard) > 500, "nothing passed the listener"
                assert value.encode() not in listened.heard
                assert token.encode() not in listened.heard
        vault.ask("DELETE", f"secret/metadata/{path}")


def test_16_a_snapshot_needs_force_in_a_fresh_vault(scratch: Vaults, lone: ScratchVault) -> None:
    """A fresh Vault has a seal key of its own; only the snapshot's data, forced, brings the old ones back."""
    snapshot = lone.ask("GET", "sys/storage/raft/snapshot").raise_for_status().content
    fresh = scratch.make("fresh").start()
    try:
        fresh.initialise()
        assert restored(fresh, snapshot, "snapshot") != 204, "a foreign snapshot was taken without force"
        assert restored(fresh, snapshot, "snapshot-force") == 204
    finally:
        fresh.stop()


def test_16_with_the_same_seal_key_the_secrets_are_back(scratch: Vaults, lone: ScratchVault) -> None:
    """The whole procedure: save, a fresh Vault with the same KMS (here: seal key), restore with force, read."""
    snapshot = lone.ask("GET", "sys/storage/raft/snapshot").raise_for_status().content
    key = (lone.folder / "secrets" / "seal-key").read_bytes()
    fresh = scratch.make("restored", key).start()
    try:
        fresh.initialise()
        assert restored(fresh, snapshot, "snapshot-force") == 204
        path = "secret/data/postgres"
        until(lambda: fresh.ask("GET", path, token=lone.token).status_code == 200, 30, "the restored secret is there")
        found = fresh.ask("GET", path, token=lone.token).json()
        assert found["data"]["data"]["password"] == "of-the-document"
    finally:
        fresh.stop()


def restored(server: ScratchVault, snapshot: bytes, how: str) -> int:
    """Status of the restore."""
    with server.client() as client:
        return client.post(f"/v1/sys/storage/raft/{how}", content=snapshot, timeout=30).status_code


def test_16_operator_init_fails_on_a_vault_that_set_itself_up(target: Target) -> None:
    """Safe on the live platform: the refusal comes before anything is made."""
    with vault_as(target) as vault:
        answer = vault.ask("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
    assert answer.status_code == 400
    assert "already initialized" in answer.text


def test_16_operator_init_works_where_set_up_is_switched_off(lone: ScratchVault) -> None:
    """`lone` was initialised by hand, as the document does it; the second time is refused there as well."""
    answer = lone.ask("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
    assert (answer.status_code, "already initialized" in answer.text) == (400, True)
