"""One more pod like those of a service, for one command: a Job that is tried once and leaves nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from components.operations import OperationError, pods
from components.operations.kubectl import Kubectl, Object, Refused
from components.operations.pod_logs import PodLogs

PATIENCE = 600.0
"""Seconds until the pod starts: room for a node that starts first."""
PAUSE = 0.5
GRACE = 10
"""Seconds a command has to end after it is told to."""
KEPT = 3600
"""Seconds until the cluster itself removes an ended Job, should this process not have come to it."""
INSTANCE = "app.kubernetes.io/instance"
OF_REPLICAS = frozenset({"ports", "lifecycle", "startupProbe", "readinessProbe", "livenessProbe"})
"""Fields of a container that are about a server."""


class OnePod:
    """A command that runs once, with the pod template of a service's Deployment."""

    def __init__(self, kubectl: Kubectl, namespace: str, service: str) -> None:
        self._kubectl = kubectl
        self._namespace, self._service = namespace, service
        # No service is called like this: two dashes in a row.
        self._name = f"{service}--run-{secrets.token_hex(4)}"

    def run(self, deployment: Object, command: Sequence[str]) -> Iterator[str | int]:
        """Its lines, then its exit code."""
        jobs = f"/apis/batch/v1/namespaces/{self._namespace}/jobs"
        try:
            self._kubectl.create(jobs, self._job(deployment, command))
            pod = self._started()
            logs = PodLogs(self._kubectl, self._namespace, self._service, self._selector)
            container = pods.status_of(self._service, pod)["containerID"]
            name = pod["metadata"]["name"]
            yield from (line.text for line in logs.of_one(name, container, datetime.fromtimestamp(0, UTC)))
            yield self._exit_code(name)
        finally:
            with suppress(Refused):
                self._kubectl.delete(f"{jobs}/{self._name}", propagationPolicy="Background")

    @property
    def _selector(self) -> str:
        return f"{INSTANCE}={self._name}"

    def _job(self, deployment: Object, command: Sequence[str]) -> Object:
        """The same image, environment, secrets, account and confinement. Its labels are not those of the replicas, so
        that nothing sends to it, and neither Deployment nor budget counts it."""
        template = deployment["spec"]["template"]
        own = {"app.kubernetes.io/name": f"{self._service}--run", INSTANCE: self._name}
        labels = {**template["metadata"]["labels"], **own}
        kept = {key: value for key, value in template["spec"].items() if key != "topologySpreadConstraints"}
        pod = {
            **kept,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE,
            "containers": [self._container(each, command) for each in kept["containers"]],
        }
        metadata = {**template["metadata"], "labels": labels}
        spec = {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": KEPT,
            "template": {"metadata": metadata, "spec": pod},
        }
        names = {"name": self._name, "namespace": self._namespace, "labels": labels}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": names, "spec": spec}

    def _container(self, container: Object, command: Sequence[str]) -> Object:
        if container["name"] != self._service:
            return container
        kept = {key: value for key, value in container.items() if key not in OF_REPLICAS}
        return {**kept, "args": list(command)}

    def _started(self) -> Any:
        """The pod once its container runs, or has ended."""
        deadline, why = time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            found = self._kubectl.get(f"/api/v1/namespaces/{self._namespace}/pods", labelSelector=self._selector)
            for pod in found["items"]:
                status = pods.status_of(self._service, pod)
                ended = pods.end_of(status.get("state", {}))
                if ended and ended.get("reason") in ("StartError", "ContainerCannotRun"):
                    raise OperationError(f"the command does not start: {pods.shown(ended.get('message', ''))}")
                if ended or "running" in status.get("state", {}):
                    return pod
                why = pods.unscheduled(pod)
                if never := pods.stuck(self._service, pod):
                    raise OperationError(f"the task does not start: {never}")
            if not found["items"] and (refused := self._refused()):
                raise OperationError(f"the cluster does not make the task: {refused}")
            time.sleep(PAUSE)
        raise OperationError(
            f"the task has not started within {PATIENCE:.0f} s: {why or 'the cluster does not say why'}"
        )

    def _refused(self) -> str:
        """Why the cluster makes no pod: a quota, or a policy of its own."""
        path = f"/api/v1/namespaces/{self._namespace}/events"
        chosen = f"involvedObject.kind=Job,involvedObject.name={self._name},reason=FailedCreate"
        events = self._kubectl.get(path, fieldSelector=chosen)["items"]
        return pods.shown(events[-1].get("message", "")) if events else ""

    def _exit_code(self, name: str) -> int:
        """The lines end a moment before the pod's status says how the container did."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pod = self._kubectl.get(f"/api/v1/namespaces/{self._namespace}/pods/{name}")
            if ended := pods.end_of(pods.status_of(self._service, pod).get("state", {})):
                return int(ended["exitCode"])
            if pod["status"].get("phase") == "Failed":
                said = pod["status"].get("message") or pod["status"].get("reason", "")
                raise OperationError(f"the cluster ended the task: {pods.shown(said)}")
            time.sleep(PAUSE)
        raise OperationError(f"the task's end is not told within {PATIENCE:.0f} s; its node may be gone")
