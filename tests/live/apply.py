"""The package kubernetes behind the real engine, over a real API server: server-side apply, and waiting for health.

It stands in for Pulumi's own provider, a download that a machine without a way to it lacks. Names, differences and
what replaces what are the rehearsal's; everything else is the API server's answer. A Deployment fails as soon as a pod
of its newest version cannot start, where Pulumi's own provider waits for its timeout and then gives the same reason.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2

from rehearsal import wire
from rehearsal.kubernetes import CLUSTER_WIDE, Kubernetes
from rehearsal.package import Resource, public
from rehearsal.refusals import Refused
from rehearsal.server import HalfMade, PackageServicer, planned, resource_of
from rehearsal.world import Thing, World
from tools.kube.api import Api, ApiError, Object

MANAGER = "pulumi-kubernetes"
TIMEOUT = 180.0
"""Seconds that anything may take."""
STUCK = frozenset({"ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff"})
"""Reasons why a container waits that do not go away by themselves."""
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"

Unfinished = Callable[[Api, Object], str | None]
"""Looks at a live object: what it still waits for; None when it is well. Raises `Broken` when it never will be."""


class Broken(Exception):
    """Why an object will not become well."""


class ApplyServicer(PackageServicer):
    """Every kind by one handler: to the API server they are all alike."""

    def __init__(self) -> None:
        super().__init__(Kubernetes(World()))
        self._apis: dict[tuple[str, str | None], Api] = {}

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs = wire.load(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire.dump(public(inputs)))
        with self._answering(context):
            api, wanted = self._api(context), _object(inputs)
            if api.get(api.path(wanted)):
                raise Refused("AlreadyExists", f"{wanted['kind']} {_id(wanted)} already exists", "pulumi-kubernetes")
            outputs = self._apply(request, api, wanted, inputs, context)
            return provider_pb2.CreateResponse(id=_id(wanted), properties=wire.dump(outputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs = wire.load(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=wire.dump(planned(request, inputs)))
        with self._answering(context):
            api, wanted = self._api(context), _object(inputs)
            live = api.get(api.path(wanted)) or {}
            for path in request.ignoreChanges:
                _keep(path, live, wanted)
            return provider_pb2.UpdateResponse(properties=wire.dump(self._apply(request, api, wanted, inputs, context)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answering(context):
            api = self._api(context)
            path = api.path(_object(wire.load(request.old_inputs)))
            if api.get(path):
                api.call("DELETE", path, propagationPolicy="Foreground")
                _wait(context, lambda: api.get(path) and "its deletion")
            return empty_pb2.Empty()

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answering(context):
            inputs = wire.load(request.inputs)
            api = self._api(context)
            live = api.get(api.path(_object(inputs)))
            if live is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=request.id, properties=wire.dump(_outputs(inputs, live)), inputs=request.inputs
            )

    def _apply(
        self, request: Any, api: Api, wanted: Object, inputs: wire.Properties, context: grpc.ServicerContext
    ) -> wire.Properties:
        """Apply, and wait until the object is well; when it will not be, the engine keeps it with the reason."""
        path = api.path(wanted)
        live: Object = api.apply(wanted, MANAGER)
        unfinished = WAITS.get(wanted["kind"], _nothing)
        if wanted["metadata"].get("annotations", {}).get("pulumi.com/skipAwait") == "true":
            unfinished = _nothing

        def look() -> str | None:
            live.update(api.get(path) or {})
            return unfinished(api, live)

        try:
            _wait(context, look)
        except Broken as broken:
            raise HalfMade(str(broken), _thing(resource_of(request), inputs, live)) from broken
        return _outputs(inputs, live)

    def _api(self, context: grpc.ServicerContext) -> Api:
        config = self._config(context)
        text = config["kubeconfig"]
        kubeconfig = text if "\n" in text else Path(text).expanduser().read_text(encoding="utf-8")
        key = (kubeconfig, config.get("context"))
        return self._apis.setdefault(key, Api(*key))

    @contextmanager
    def _answering(self, context: grpc.ServicerContext) -> Any:
        with super()._answering(context):
            try:
                yield
            except ApiError as error:
                raise Refused("Invalid", str(error), "Kubernetes API") from error
            except Broken as broken:
                raise Refused("Unfinished", str(broken), "Kubernetes API") from broken
            except OSError as error:
                raise Refused("Unreachable", f"the cluster is unreachable: {error}", "Kubernetes API") from error


def _object(inputs: wire.Properties) -> Object:
    wanted: Object = wire.reveal(public(inputs))
    if wanted["kind"] not in CLUSTER_WIDE:
        wanted["metadata"].setdefault("namespace", "default")
    return wanted


def _id(wanted: Object) -> str:
    return "/".join(filter(None, (wanted["metadata"].get("namespace"), wanted["metadata"]["name"])))


def _keep(path: str, live: Object, wanted: Object) -> None:
    """What others look after stays as it is there."""
    *steps, last = path.split(".")
    for step in steps:
        live, wanted = live.get(step, {}), wanted.get(step, {})
    if last in live:
        wanted[last] = live[last]


def _outputs(inputs: wire.Properties, live: Object) -> wire.Properties:
    """The inputs, with what the cluster added. What holds a secret stays as the engine sent it."""
    found: Object = {key: live[key] for key in ("spec", "status") if key in live}
    kept = {key: value for key, value in public(inputs).items() if key not in found or wire.reveal(value) != value}
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return {**found, **kept, "metadata": metadata}


def _thing(resource: Resource, inputs: wire.Properties, live: Object) -> Thing:
    return Thing(resource.type, _id(live), resource.name, resource.urn, inputs, _outputs(inputs, live))


def _wait(context: grpc.ServicerContext, unfinished: Callable[[], str | None]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while waits_for := unfinished():
        if time.monotonic() > deadline:
            raise Broken(f"timed out after {TIMEOUT:.0f} s, waiting for {waits_for}")
        if not context.is_active():
            raise Broken("the operation was cancelled")
        time.sleep(0.25)


# --- What an object is waited for ---------------------------------------------------------------------------------


def _nothing(api: Api, live: Object) -> str | None:
    return None


def _deployment(api: Api, live: Object) -> str | None:
    """As `kubectl rollout status` says it, and what keeps the pods of the newest version from starting."""
    spec, status = live["spec"], live.get("status", {})
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return "its controller"
    wanted, updated, available = spec["replicas"], status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    # Until the old pods have gone, some of those that are available are old.
    if updated >= wanted and available >= wanted and status["replicas"] == updated:
        return None
    for condition in status.get("conditions", []):
        failed = (condition["type"], condition["status"]) in {("ReplicaFailure", "True"), ("Progressing", "False")}
        if failed:
            raise Broken(f"{condition['reason']}: {condition['message']}")
    for pod in _newest_pods(api, live):
        _check_pod(api, pod)
    return f"{wanted} new pods that are ready, and the old ones to go"


def _newest_pods(api: Api, deployment: Object) -> list[Object]:
    space = f"/namespaces/{deployment['metadata']['namespace']}"
    selector = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    revision = deployment["metadata"].get("annotations", {}).get(REVISION)
    for replicas in api.get(f"/apis/apps/v1{space}/replicasets", labelSelector=selector)["items"]:
        if replicas["metadata"]["annotations"].get(REVISION) == revision:
            newest = f"{selector},{HASH}={replicas['metadata']['labels'][HASH]}"
            pods: list[Object] = api.get(f"/api/v1{space}/pods", labelSelector=newest)["items"]
            return pods
    return []


def _check_pod(api: Api, pod: Object) -> None:
    name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
    for container in pod.get("status", {}).get("containerStatuses", []):
        waiting = container["state"].get("waiting", {})
        if waiting.get("reason") not in STUCK:
            continue
        why = f"pod {name}: {waiting['reason']}: {waiting.get('message', '')}"
        if waiting["reason"] == "CrashLoopBackOff":
            log = api.get(f"/api/v1/namespaces/{space}/pods/{name}/log", previous="true", tailLines="5")
            why += f"\nits last words: {str(log).strip()}"
        raise Broken(why)


def _service(api: Api, live: Object) -> str | None:
    """An address where one is to come, and a pod behind it."""
    kind = live["spec"].get("type")
    if kind == "LoadBalancer" and not live.get("status", {}).get("loadBalancer", {}).get("ingress"):
        return "the address of its load balancer"
    if not live["spec"].get("selector"):
        return None
    space, name = live["metadata"]["namespace"], live["metadata"]["name"]
    slices = api.get(
        f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={name}",
    )
    ready = [end for each in slices["items"] for end in each["endpoints"] or [] if end["conditions"].get("ready")]
    return None if ready else "a ready pod"


WAITS: Mapping[str, Unfinished] = {"Deployment": _deployment, "Service": _service}
