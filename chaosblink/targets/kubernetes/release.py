"""The Helm release `blinkchamber`: install, upgrade, roll back, uninstall and test it on a cluster that was named."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

from chaosblink.targets import PlatformError
from chaosblink.targets.kubernetes import generated, names
from chaosblink.targets.kubernetes.api import Json, Missing, of_context
from chaosblink.targets.kubernetes.kind import is_kind
from chaosblink.targets.kubernetes.manifests import Applier
from chaosblink.targets.kubernetes.ownership import settle
from chaosblink.targets.kubernetes.values import merged
from chaosblink.targets.kubernetes.workloads import PART_OF, Workload, pods, unready, workloads
from chaosblink.targets.local.layout import CHART, ROOT
from chaosblink.waiting import Timeout, until

Progress = Callable[[str], None]

RELEASE = names.RELEASE
NAMESPACE = "blinkchamber"
WITHIN_S = 600
"""Seconds an installation or upgrade may take; on two cores with images at hand it takes a fraction of it."""
WEBHOOK = "blinkchamber/templates/injector-webhook.yaml"


def images(file: Path) -> dict[str, Any]:
    """Values from an images.env (`name=repository:tag` lines); names the chart does not use are left out."""
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise PlatformError(f"{file} cannot be read ({error.strerror}): build the images first") from None
    used = yaml.safe_load((CHART / "values.yaml").read_text())["images"]
    chosen = {}
    for line in filter(None, (line.strip() for line in lines)):
        name, separator, reference = line.partition("=")
        repository, colon, tag = reference.rpartition(":")
        if not separator or not colon or "/" in tag:
            raise PlatformError(f"{file}: {line!r} is not name=repository:tag")
        if name in used:
            chosen[name] = {"repository": repository, "tag": tag}
    return {"images": chosen}


def values(context: str, overrides: tuple[str, ...], images_file: Path | None) -> dict[str, Any]:
    """What is given to the chart: those of kind for a kind cluster, the images, then each `dotted.key=value`."""
    chosen: dict[str, Any] = {}
    if is_kind(context):
        chosen = merged(chosen, yaml.safe_load((ROOT / "platform" / "kind" / "values.yaml").read_text()))
    if images_file:
        chosen = merged(chosen, images(images_file))
    for override in overrides:
        try:
            chosen = merged(chosen, helm.parse_set_string(override))
        except helm.HelmError as error:
            raise PlatformError(f"--set {override}: {_line(error)}") from None
    return chosen


class Release:
    """The release on one cluster. Every method raises PlatformError with one line that says the next step."""

    def __init__(self, context: str, progress: Progress) -> None:
        self.api = of_context(context)
        self._progress = progress
        self._helm = helm.Config(kube_context=context, namespace=NAMESPACE)

    def install(self, chosen: dict[str, Any], allow_chaos: bool = False, within: int = WITHIN_S) -> None:
        """Namespaces, secrets and certificates, then the chart; returns when every pod is ready.

        A first installation that failed is removed and tried again; volumes and secrets of an earlier one are used.
        `allow_chaos` labels the namespaces for chaos (a kind cluster's always are). `within` is in seconds.
        """
        status = self.helm_status()
        if status == "deployed":
            raise PlatformError(f"{RELEASE} is installed on {self.api.cluster}: use upgrade, or uninstall it first")
        if status:
            self._progress(f"an earlier installation is {status}: removed first")
            self._do(
                lambda _: self._helm.uninstall(RELEASE, ignore_not_found=True, wait="watcher", timeout=120), "uninstall"
            )
        chosen = merged(chosen, self.prepare(allow_chaos))
        with helm.Chart.load(CHART) as chart:
            self._apply_webhook(chart, chosen)
            self._do(
                lambda context: self._helm.install(
                    chart, RELEASE, chosen, context=context, wait="watcher", timeout=within
                ),
                "install",
            )

    def prepare(self, allow_chaos: bool = False) -> dict[str, Any]:
        """Namespaces, secrets and certificates, each only where it is missing; returns the values that name them."""
        self._namespaces(allow_chaos or is_kind(self.api.cluster))
        return self._generated()

    def upgrade(self, chosen: dict[str, Any], within: int = WITHIN_S) -> None:
        """The chart as it is here, its defaults too, with the values given earlier and those chosen now over them.

        Helm's own --reuse-values keeps the defaults of the chart that is deployed: a new chart would change nothing.
        """
        if not self.helm_status():
            raise PlatformError(f"{RELEASE} is not installed on {self.api.cluster}: install it first")
        given = dict(self._helm.get_values(RELEASE))
        chosen = merged(merged(given, chosen), self._generated())
        with helm.Chart.load(CHART) as chart:
            self._settle(chart, chosen)
            self._do(
                lambda context: self._helm.upgrade(
                    chart, RELEASE, chosen, context=context, wait="watcher", timeout=within, reset_values=True
                ),
                "upgrade",
            )

    def rollback(self, revision: int | None = None, within: int = WITHIN_S) -> None:
        """Back to a revision, by default the one before."""
        with helm.Chart.load(CHART) as chart:
            self._settle(chart, self._helm.get_values(RELEASE))
        self._do(lambda _: self._helm.rollback(RELEASE, version=revision, wait="watcher", timeout=within), "rollback")

    def uninstall(self, purge: bool = False, within: int = 180) -> None:
        """Remove the release. Volumes and secrets stay for the next one; `purge` removes them with the namespaces."""
        self._do(
            lambda _: self._helm.uninstall(RELEASE, ignore_not_found=True, wait="watcher", timeout=within), "uninstall"
        )
        self._wait("no pod is left", lambda: not pods(self.api), within)
        if purge:
            self._purge(within)

    def test(self, within: int = 120) -> str:
        """Run the chart's test; its log. PlatformError when a path does not answer."""
        try:
            self._do(lambda _: self._helm.test(RELEASE, timeout=within), "test")
        except PlatformError as error:
            raise PlatformError(f"{error}; the test said: {' '.join(self._test_log()[-3:])}") from None
        return "\n".join(self._test_log())

    def _test_log(self) -> list[str]:
        """Lines of the test's pod, which Helm looks for in the release's own namespace only."""
        try:
            return list(self.api.lines("database", "platform-test", "test"))
        except PlatformError:
            return []

    def helm_status(self) -> str:
        """Helm's word for the newest revision (deployed, failed, pending-install, ...); empty when there is none."""
        try:
            return str(self._helm.status(RELEASE)["status"])
        except helm.HelmNotFoundError:
            return ""
        except helm.HelmError as error:
            raise PlatformError(f"{self.api.cluster}: {_line(error)}") from None

    def revision(self) -> int:
        """Number of the newest revision."""
        return int(self._helm.status(RELEASE)["revision"])

    def workloads(self) -> list[Workload]:
        """Every workload with its wanted and ready pods."""
        return workloads(self.api)

    def unready(self) -> list[str]:
        """A line for each pod that is not ready."""
        return unready(self.api)

    def _generated(self) -> dict[str, Any]:
        made = generated.ensure_secrets(self.api)
        authority, anew = generated.ensure_certificates(self.api)
        self._progress(f"secrets: {made} made; certificates: {'made' if anew else 'kept'}")
        return {"tls": {"caBundle": base64.b64encode(authority.encode()).decode()}}

    def _namespaces(self, allow_chaos: bool) -> None:
        for name in generated.HOLDERS:
            labels = dict([names.PART_OF])
            if name != names.NAMESPACE:
                labels["pod-security.kubernetes.io/enforce"] = "restricted"
                labels |= {names.LABEL: names.ALLOWED} if allow_chaos else {}
            body = {"metadata": {"name": name, "labels": labels}}
            try:
                self.api.ask(f"label namespace {name}", self.api.core.patch_namespace, name, body)
            except Missing:
                self.api.ask(f"create namespace {name}", self.api.core.create_namespace, body)

    def _settle(self, chart: helm.Chart, chosen: dict[str, Any]) -> None:
        with _helm_errors("rendering the chart"):
            texts = chart.render(chosen, name=RELEASE, namespace=NAMESPACE)
        found = [each for name, text in texts.items() if name.endswith(".yaml") for each in yaml.safe_load_all(text)]
        settle(Applier(self.api), [each for each in found if each])

    def _apply_webhook(self, chart: helm.Chart, chosen: dict[str, Any]) -> None:
        """Make the injector's webhook before Helm does, as Helm would own it: pods are injected only when made.

        Helm makes webhooks last, when the first identity pods are there already without their secrets.
        """
        with _helm_errors("rendering the chart"):
            text = chart.render(chosen, name=RELEASE, namespace=NAMESPACE).get(WEBHOOK, "")
        body = yaml.safe_load(text)
        if not body:
            return
        owner = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE}
        body["metadata"]["annotations"] = owner
        hooks, name, what = self.api.webhooks, body["metadata"]["name"], "apply the injector's webhook"
        try:
            self.api.ask(what, hooks.patch_mutating_webhook_configuration, name, body)
        except Missing:
            self.api.ask(what, hooks.create_mutating_webhook_configuration, body)

    def _do(self, action: Callable[[helm.HelmContext], Any], what: str) -> dict[str, Any]:
        """Run one of Helm's actions and say meanwhile which components are ready. Ctrl-C cancels it."""
        began = time.monotonic()
        context = helm.HelmContext()
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(action, context)
            try:
                self._watch(future, began)
            except BaseException:
                context.cancel()
                raise
        with _helm_errors(what, self.unready if what in ("install", "upgrade", "rollback") else None):
            answer = future.result()
        self._progress(f"{what} done after {time.monotonic() - began:.1f} s")
        return answer or {}

    def _watch(self, future: Future[Any], began: float) -> None:
        told: set[str] = set()
        while not future.done():
            try:
                future.exception(timeout=1)
            except NotYet:
                self._tell(told, time.monotonic() - began)

    def _tell(self, told: set[str], elapsed: float) -> None:
        try:
            found = workloads(self.api)
        except PlatformError:  # a busy API server: the action itself says when it matters
            return
        for workload in found:
            if workload.whole and workload.name not in told:
                told.add(workload.name)
                self._progress(f"{workload.name} {workload.ready}/{workload.wanted} ready after {elapsed:.1f} s")
            elif not workload.whole:
                told.discard(workload.name)

    def _purge(self, within: float) -> None:
        def left() -> list[Json]:
            found = self.api.ask("list namespaces", self.api.core.list_namespace, label_selector=PART_OF)
            return list(found["items"])

        for name in (item["metadata"]["name"] for item in left()):
            self.api.ask(f"delete namespace {name}", self.api.core.delete_namespace, name)
        self._wait("the namespaces are gone", lambda: not left(), within)
        self._progress("namespaces, volumes and secrets are gone")

    def _wait(self, what: str, condition: Callable[[], bool], within: float) -> None:
        try:
            until(condition, within, what, every=0.5)
        except Timeout as timeout:
            raise PlatformError(str(timeout)) from None


class _helm_errors:
    """Helm's errors inside become one line, with the pods that were not ready."""

    def __init__(self, what: str, unready: Callable[[], list[str]] | None = None) -> None:
        self._what, self._unready = what, unready

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, helm.HelmError):
            return
        pods = self._unready() if self._unready else []
        reasons = f"; not ready: {'; '.join(pods)}" if pods else ""
        raise PlatformError(f"{self._what} of {RELEASE} failed: {_line(error)}{reasons}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
