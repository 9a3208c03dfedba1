"""The daily verbs on Kubernetes: in a cluster that exists, and what they are in every cluster."""

from __future__ import annotations

import sys
import tempfile
from abc import abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from components.operations import End, Line, OperationError, Operations, Running, pods
from components.operations.kubectl import Access, Kubectl, Refused
from components.operations.one_pod import OnePod
from components.operations.pod_logs import PodLogs
from components.orchestrator import OrchestratorOptions
from components.orchestrator.kubernetes import KubernetesOptions, kubeconfig_files
from components.orchestrator.kubernetes_service import labels
from components.shell import command

Of = TypeVar("Of", bound=OrchestratorOptions)
NO_PROGRAM = ("executable file not found", "no such file or directory")
PROVIDER = "pulumi:providers:kubernetes"


class ClusterOperations(Operations[Of]):
    """The verbs on the pods of a namespace. Who has a cluster says how to reach it."""

    @abstractmethod
    def access(self) -> Access:
        """The options of kubectl that lead to the cluster."""

    @abstractmethod
    def by_hand(self, *words: str) -> str:
        """A command of kubectl's on the cluster, for a person to type."""

    @property
    def namespace(self) -> str:
        """Where the stack's objects are."""
        return self.deployed.stack

    def status(self, service: str) -> Running:
        """As its Deployment, its pods, and events that warn of these say."""
        kubectl = Kubectl(self.access())
        deployment = self._deployment(kubectl, service)
        found = kubectl.get(f"{self._core}/pods", labelSelector=self._selector(service))["items"]
        return pods.running(service, deployment, found, self._warnings(kubectl, found))

    def ended(self, service: str, since: datetime) -> Sequence[End]:
        """Of each container the last time, which is all that a cluster keeps."""
        found = Kubectl(self.access()).get(f"{self._core}/pods", labelSelector=self._selector(service))["items"]
        return [each for each in pods.ends(service, found) if each.at >= since]

    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        """Of all pods, by time. Those of a pod that is gone are gone as well."""
        kubectl = Kubectl(self.access())
        logs = PodLogs(kubectl, self.namespace, service, self._selector(service))
        try:
            yield from logs.followed(since) if follow else logs.written(since)
        finally:
            kubectl.close()

    def run(self, service: str, command: Sequence[str]) -> Generator[str | int, None, None]:
        """By a Job with the pod template of the service's Deployment."""
        kubectl = Kubectl(self.access())
        deployment = self._deployment(kubectl, service)
        yield from OnePod(kubectl, self.namespace, service).run(deployment, command)

    def exec(self, service: str, command: Sequence[str]) -> int:
        """In a pod that is ready, if one is."""
        kubectl = Kubectl(self.access())
        found = kubectl.get(f"{self._core}/pods", labelSelector=self._selector(service))["items"]
        running = [pod for pod in found if "running" in pods.status_of(service, pod).get("state", {})]
        if not running:
            raise OperationError(f"no replica of {service} runs: `yard status` says why")
        pod = max(running, key=pods.is_ready)["metadata"]["name"]
        terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
        place = ["--namespace", self.namespace, pod, "--container", service]
        missing: list[str] = []

        def hear(line: str) -> None:
            if "exec" in line and any(each in line for each in NO_PROGRAM):
                missing.append(line)
            else:
                sys.stderr.write(line)

        code = kubectl.on_terminal(["exec", "--stdin", *terminal, *place, "--", *command], hear)
        if missing:
            raise OperationError(self._no_program(service, pod, command[0]))
        return code

    def _no_program(self, service: str, pod: str, program: str) -> str:
        place = ("--namespace", self.namespace, pod, "--target", service)
        debug = self.by_hand("debug", *place, "--image", "busybox", "--profile", "restricted", "-it", "--", "sh")
        return (
            f"the image of {service} has no program {program}. This starts a shell beside it, of another image: {debug}"
        )

    @property
    def _core(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"

    def _selector(self, service: str) -> str:
        return ",".join(f"{key}={value}" for key, value in labels(self.deployed.stack, service).items())

    def _deployment(self, kubectl: Kubectl, service: str) -> Any:
        try:
            return kubectl.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{service}")
        except Refused as error:
            if error.reason != "NotFound":
                raise
            raise OperationError(
                f"the cluster has no Deployment {service} in namespace {self.namespace}: run `pulumi up --refresh`"
            ) from error

    def _warnings(self, kubectl: Kubectl, found: Sequence[Any]) -> dict[str, str]:
        """Uid of a pod -> the last event that warns of it. Nobody is asked where all are well."""
        if all(map(pods.is_ready, found)):
            return {}
        events = kubectl.get(f"{self._core}/events", fieldSelector="involvedObject.kind=Pod,type=Warning")["items"]
        events.sort(key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or "")
        return {each["involvedObject"]["uid"]: each.get("message", "") for each in events}


class OnKubernetes(ClusterOperations[KubernetesOptions]):
    """The verbs in a cluster that exists."""

    @property
    def namespace(self) -> str:
        return self.options.namespace or self.deployed.stack

    def access(self) -> Access:
        """By the kubeconfig that the program itself uses."""

        @contextmanager
        def opened() -> Iterator[Sequence[str]]:
            if self.options.kubeconfig is None:
                yield self._options
                return
            # It is encrypted in the stack's file, and in the state as the last `up` has used it.
            known = self.deployed.outputs(PROVIDER, self.options.key, self.options.key)["kubeconfig"]
            with private(str(known)) as file:
                yield ("--kubeconfig", file, "--context", self.options.context)

        return opened

    def by_hand(self, *words: str) -> str:
        """Without the file where kubectl finds it by itself, or where it is a secret."""
        verb, *rest = words
        return command("kubectl", verb, *self._options, *rest)

    @property
    def _options(self) -> Sequence[str]:
        named = self.options.kubeconfig_file and str(kubeconfig_files(self.options)[0])
        return (*(("--kubeconfig", named) if named else ()), "--context", self.options.context)


@contextmanager
def private(kubeconfig: str) -> Iterator[str]:
    """A file with a login, for its user alone, while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(kubeconfig, encoding="utf-8")
        yield str(file)
