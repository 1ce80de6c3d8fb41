"""A platform in a cluster, seen through the Target interface."""

from __future__ import annotations

import datetime
import math
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from chaosblink.agent.client import Agent, Credentials
from chaosblink.targets import WHOLE_NODE, Instance, Lifetime, PlatformError
from chaosblink.targets.kubernetes import lease, names, values
from chaosblink.targets.kubernetes.api import Api
from chaosblink.targets.kubernetes.execution import output_of
from chaosblink.targets.kubernetes.listing import Listing, Member
from chaosblink.targets.kubernetes.workloads import ready
from chaosblink.targets.local.secret_files import write_private
from chaosblink.targets.local.target import state_root

ENDPOINTS = {"identity": 443, "vault": 443, "postgresql": 5432, "redis-master": 6379}


def state_of(cluster: str) -> Path:
    """Where a person's machine keeps what it was told of a cluster, secrets among it (mode 0600)."""
    return state_root() / f"cluster-{cluster}"


class KubernetesTarget:
    """Target interface over pods; see `chaosblink.targets.Target` for the methods.

    Instances are named like their pods, so those of a Deployment have other names after they were replaced.
    """

    kind = "kubernetes"

    def __init__(self, api: Api, name: str, options: str) -> None:
        self.api, self.name, self.options = api, name, options
        self.state = names.KEPT / "state" if names.inside() else state_of(api.cluster)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._listing = Listing(api)
        self._agents: dict[str, Agent] = {}
        self._keep_shared_files()

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The release's values."""
        return values.mounted() if names.inside() else values.of_release(self.api)

    @property
    def ca_file(self) -> Path:
        """PEM file of the platform's CA."""
        if names.inside():
            return names.mounted("ca", "ca.crt")
        path = self.state / "ca.crt"
        path.write_text(self.api.config_map(names.NAMESPACE, names.CA)["ca.crt"])
        return path

    def instances(self, component: str | None = None) -> list[Instance]:
        """All instances, or those of one component, in order of name; one without a pod has no node."""
        return [m.instance for m in self._listing.members() if component in (None, m.instance.component)]

    def lifetime(self, instance: Instance) -> Lifetime | None:
        """The server's container as the kubelet last reported it, which may be a second old; None while it is down."""
        member = self.member(instance)
        box = member.container
        running = (box or {}).get("state", {}).get("running")
        if member.pod is None or box is None or not running:
            return None
        started = datetime.datetime.fromisoformat(running["startedAt"]).timestamp()
        return Lifetime(0, started, f"{member.pod['metadata']['uid']}/{box['containerID'].rsplit('/', 1)[-1]}")

    def processes(self, instance: Instance) -> list[int]:  # noqa: ARG002
        """None on this machine: agents see them."""
        return []

    def whereabouts(self, instance: Instance) -> dict[str, str]:  # noqa: ARG002
        """Nothing on this machine: agents see them."""
        return {}

    def output_of(self, instance: Instance, command: list[str], given: bytes = b"") -> str:
        """What a short command prints in the server's container; PlatformError when it fails or may not be run there.

        `given` is its standard input, whose end it is never told.
        """
        member = self.member(instance)
        if member.pod is None:
            raise PlatformError(f"{instance.name} is down: it has no pod")
        return output_of(self.api, (member.namespace, instance.name, instance.component), command, given)

    def stop(self, instance: Instance) -> None:
        """PlatformError: a kubelet restarts what ends."""
        raise PlatformError(f"{instance.name} cannot be kept down by itself: scale its workload instead")

    def start(self, instance: Instance) -> None:
        """PlatformError: starting is the kubelet's."""
        raise PlatformError(f"{instance.name} is started by its kubelet alone")

    def endpoint(self, name: str) -> tuple[str, int]:
        """Address of the Service in front of the edge, and the port of `identity`, `vault`, ..."""
        if name not in ENDPOINTS:
            raise PlatformError(f"no endpoint {name!r}; there are {', '.join(ENDPOINTS)}")
        return self._edge, ENDPOINTS[name]

    def secret(self, name: str) -> str:
        """A secret of the platform by its file name; one that is not mounted here is asked for, and kept in no file."""
        if names.inside() and not names.MOUNTED.joinpath("secrets", name).exists():
            return self.every_secret().get(name, b"").decode().strip() or self._lacks(name)
        return self.secret_file(name).read_text().strip()

    def secret_file(self, name: str) -> Path:
        """The file (mode 0600, or mounted into this pod alone) that holds the secret."""
        if names.inside():
            return names.mounted("secrets", name)
        held = self.api.secret(names.NAMESPACE, names.SECRETS)
        if name not in held:
            self._lacks(name)
        path = self.state / "secrets" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, held[name])
        return path

    def every_secret(self) -> dict[str, bytes]:
        """All secrets of the platform by file name; PlatformError for whoever may not read every namespace's."""
        found: dict[str, bytes] = {}
        for namespace in names.PLATFORM_NAMESPACES:
            found |= self.api.secret(namespace, names.SECRETS)
        return found | self.api.secret(names.NAMESPACE, names.SECRETS) | self.api.secret(*names.VAULT_INIT)

    def log_end(self, instance: Instance) -> float:  # noqa: ARG002
        """The time (s since 1970), which is the same for all."""
        return time.time()

    def log(self, instance: Instance, after: float = 0) -> str:
        """What the present container and the one before it have logged since then; of a pod without a log nothing."""
        member = self.member(instance)
        if member.container is None:
            return ""
        since = {"since_seconds": max(1, math.ceil(time.time() - after))} if after else {}
        earlier = (
            [True] if member.container.get("restartCount") and "terminated" in member.container["lastState"] else []
        )
        return "".join(self._log_of(member, previous, since) for previous in [*earlier, False])

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the cluster's lease, and be the run whose token the agents take."""
        with lease.held(self.api, platform.node()):
            lease.publish_token(self.api, self._token)
            try:
                yield
            finally:
                lease.withdraw_token(self.api, self._token)

    def cannot(self, fault: str) -> str:
        """A kubelet restarts what is stopped; whole nodes need a driver on their host; everything else works."""
        if fault.startswith(WHOLE_NODE) and not os.environ.get(names.HOST):
            return "whole nodes are broken by a driver on a kind cluster's host: chaosblink run --target kind there"
        return "a kubelet restarts what is stopped" if fault == "stop" else ""

    def isolate(
        self,
        instance: Instance,
        inbound: bool = True,  # noqa: ARG002
        outbound: bool = True,  # noqa: ARG002
        clients: bool = True,  # noqa: ARG002
    ) -> None:
        """PlatformError: agents do that."""
        raise PlatformError(f"{instance.name} is cut off by the agent of {instance.node} alone")

    def rejoin(self, instance: Instance) -> None:
        """PlatformError: agents do that."""
        raise PlatformError(f"{instance.name} is rejoined by the agent of {instance.node} alone")

    def dropped(self, instance: Instance) -> int | None:
        """PlatformError: agents know that."""
        raise PlatformError(f"only the agent of {instance.node} knows what {instance.name} lost")

    def agent(self, node: str) -> Agent:
        """The agent of a node; PlatformError when there is none."""
        if node not in self._agents:
            address = self.agent_addresses().get(node)
            if not address:
                raise PlatformError(f"node {node} has no agent that is ready: {names.allow_command(self.api.cluster)}")
            self._agents[node] = Agent(node, address, self.credentials())
        return self._agents[node]

    def host(self) -> Agent:
        """The driver of node faults on this kind cluster's host; PlatformError when there is none."""
        if not os.environ.get(names.HOST):
            raise PlatformError(self.cannot("node-kill"))
        if "" not in self._agents:
            self._agents[""] = Agent("this cluster's host", os.environ[names.HOST], self.credentials())
        return self._agents[""]

    def agent_addresses(self) -> dict[str, str]:
        """Address of each node's agent that is ready."""
        pods = self.api.pods(names.NAMESPACE, names.AGENT_LABEL)
        return {pod["spec"]["nodeName"]: pod["status"]["hostIP"] for pod in pods if ready(pod)}

    def credentials(self) -> Credentials:
        """What agents want to see: the runs' certificate, and the token of this run (drawn now if there is none)."""
        if not self._token.exists():
            lease.publish_token(self.api, self._token)
        if names.inside():
            return Credentials(names.mounted("agent", "tls.key").parent, self._token)
        place = self.state / "agent"
        place.mkdir(mode=0o700, exist_ok=True)
        for name, content in self.api.secret(names.NAMESPACE, names.RUN_TLS).items():
            write_private(place / name, content)
        return Credentials(place, self._token)

    def pod_reference(self, instance: Instance) -> dict[str, str]:
        """What agents know a pod by; PlatformError while the instance has none."""
        member = self.member(instance)
        if member.pod is None:
            raise PlatformError(f"{instance.name} is already down: it has no pod")
        uid = str(member.pod["metadata"]["uid"])
        return {"namespace": member.namespace, "name": instance.name, "uid": uid}

    def member(self, instance: Instance) -> Member:
        """The instance with its pod and workload; without either when the platform has no such instance now."""
        for member in self._listing.members():
            if member.instance.name == instance.name:
                return member
        return Member(instance, "", None, {})

    def version(self) -> str:
        """Version of the cluster."""
        from kubernetes.client import VersionApi

        return str(self.api.ask("get its version", VersionApi(self.api.client).get_code)["gitVersion"])

    def account_token(self, namespace: str, account: str, pod: tuple[str, str] = ("", "")) -> str:
        """A new token of a service account, good for ten minutes; PlatformError for whoever may not ask for it.

        With `pod`, a name and UID, it is bound to that pod, as those are that its kubelet asks for.
        """
        what = f"ask for a token of {namespace}/{account}"
        body: dict[str, Any] = {"spec": {"expirationSeconds": 600}}
        if pod[0]:
            body["spec"]["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod[0], "uid": pod[1]}
        ask = self.api.core.create_namespaced_service_account_token
        return str(self.api.ask(what, ask, account, namespace, body)["status"]["token"])

    def _lacks(self, name: str) -> NoReturn:
        raise PlatformError(f"the platform has no secret {name!r} (Secret {names.SECRETS})")

    @property
    def _token(self) -> Path:
        return self.state / "agent-token"

    @cached_property
    def _edge(self) -> str:
        service = self.api.ask("get service ingress/edge", self.api.core.read_namespaced_service, "edge", "ingress")
        return str(service["spec"]["clusterIP"])

    def _log_of(self, member: Member, previous: bool, since: dict[str, int]) -> str:
        where = (member.namespace, member.instance.name, member.instance.component)
        options: dict[str, Any] = {**since, **({"previous": True} if previous else {})}
        return "".join(f"{line}\n" for line in self.api.lines(*where, **options))

    def _keep_shared_files(self) -> None:
        """The edge's configuration as it is mounted there, where the edge's component looks for it."""
        what = "list configmaps in namespace ingress"
        found = self.api.ask(what, self.api.core.list_namespaced_config_map, "ingress")["items"]
        texts = [one["data"]["haproxy.cfg"] for one in found if "haproxy.cfg" in (one.get("data") or {})]
        if len(texts) == 1:  # without it the edge's formulas say what is missing
            place = self.state / "files" / "edge" / "haproxy.cfg"
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f"haproxy.cfg.{os.getpid()}")
            part.write_text(texts[0])
            part.replace(place)
