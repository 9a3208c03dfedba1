"""The package kubernetes behind the real engine, over a real API server: server-side apply, and waiting for health.

It stands in for Pulumi's own provider, a download that a machine without a way to it lacks, and behaves as that does
(pulumi-kubernetes 4.32 to 4.34, provider/pkg/provider/provider.go and await/await.go):

- what is there already is taken over; a field in it that another manager has set is a conflict, unless
  `pulumi.com/patchForce` or the provider's `enablePatchForce` says to take it;
- of `ignoreChanges`, what others look after is left out, and what is ours stays as it is there;
- it waits for what is in readiness.py, until the operation's time is over;
- an update that failed leaves its inputs in the state, and the next run tries again;
- a refresh reads what became of the inputs.

Names, differences and what replaces what are the rehearsal's; everything else is the API server's answer. It is
stricter in two things: an unknown field is an error, and what `kubectl edit` has set is a conflict in the update as
well, not in its preview alone.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from rehearsal import wire
from rehearsal.kubernetes import CLUSTER_WIDE, Kubernetes
from rehearsal.package import Urn, public
from rehearsal.server import HalfMade, PackageServicer, planned
from rehearsal.state import CloudResource, CloudState, Refused
from tests.live.readiness import DEFAULT_TIMEOUT, look_at
from tools.kube.api import Api, ApiError, Object

MANAGER = "pulumi-kubernetes"
"""What the name of each resource's field manager begins with."""
DELETE_TIMEOUT = 300.0
CONFLICT = "Server-Side Apply field conflict detected. See https://www.pulumi.com/registry/packages/kubernetes/"


class Stopped(Exception):
    """What ended a wait, and what it waited for."""

    def __init__(self, why: str, told: Sequence[str] = ()) -> None:
        super().__init__("\n".join([why, *told]))


class Unwell(HalfMade):
    """It is there, and the engine keeps it with the reasons why it is not well."""

    def __init__(self, why: str, resource: CloudResource) -> None:
        super().__init__(why, resource)
        self._why = why

    def __str__(self) -> str:
        return self._why


class ApplyServicer(PackageServicer):
    """Every kind by one handler: to the API server they are all alike."""

    longest = float("inf")
    """Seconds that it waits for an object at most, where a test has not the time that the program gives."""

    def __init__(self) -> None:
        super().__init__(Kubernetes(CloudState()))
        self._apis: dict[tuple[str, str | None], Api] = {}

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs = wire.load(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire.dump(public(inputs)))
        with self._answering(context):
            api, wanted = self._api(context), _object(inputs)
            live = self._apply(request, api, wanted, context)
            try:
                self._await(request, api, wanted, live, context)
            except Stopped as stopped:
                raise _unwell("was created", stopped, request, inputs, live) from stopped
            return provider_pb2.CreateResponse(id=_id(wanted), properties=wire.dump(_outputs(inputs, live)))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs = wire.load(request.news)
        as_planned = provider_pb2.UpdateResponse(properties=wire.dump(planned(request, inputs)))
        if request.preview and rpc.UNKNOWN in json.dumps(inputs):
            return as_planned
        with self._answering(context):
            api, wanted = self._api(context), _object(inputs)
            live: Object = api.get(api.path(wanted)) or {}
            for path in request.ignoreChanges:
                _leave(path.split("."), live, wanted, _manager(request))
            try:
                live |= self._apply(request, api, wanted, context, dry_run=request.preview)
                if request.preview:
                    return as_planned
                self._await(request, api, wanted, live, context)
            except (Stopped, ApiError) as error:
                raise _unwell("was updated", error, request, inputs, live) from error
            return provider_pb2.UpdateResponse(properties=wire.dump(_outputs(inputs, live)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answering(context):
            api = self._api(context)
            path = api.path(_object(wire.load(request.old_inputs)))
            if api.get(path):
                api.call("DELETE", path, propagationPolicy="Foreground")
                _wait(path, lambda: ["it is still there"] if api.get(path) else [], DELETE_TIMEOUT, context)
            return empty_pb2.Empty()

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answering(context):
            kept = wire.load(request.inputs)
            api, wanted = self._api(context), _object(kept)
            live = api.get(api.path(wanted))
            if live is None:
                return provider_pb2.ReadResponse()
            # A Secret keeps what it was given under another name.
            inputs = kept if wanted["kind"] == "Secret" else _became(kept, live)
            if told := look_at(wanted)(api, live):
                raise _unwell("is there", Stopped("it is not ready", told), request, inputs, live)
            outputs = wire.dump(_outputs(inputs, live))
            return provider_pb2.ReadResponse(id=request.id, properties=outputs, inputs=wire.dump(inputs))

    def _apply(
        self, request: Any, api: Api, wanted: Object, context: grpc.ServicerContext, dry_run: bool = False
    ) -> Object:
        chosen = wanted["metadata"].get("annotations", {}).get("pulumi.com/patchForce")
        chosen = chosen or self._config(context).get("enablePatchForce")
        try:
            answer: Object = api.apply(wanted, _manager(request), force=str(chosen).lower() == "true", dry_run=dry_run)
        except ApiError as error:
            if error.code != 409:
                raise
            whose = f'The resource managed by field manager "{_manager(request)}" had an apply conflict: {error}'
            raise ApiError(error.code, f"{CONFLICT}\n{whose}") from error
        return answer

    def _await(self, request: Any, api: Api, wanted: Object, live: Object, context: grpc.ServicerContext) -> None:
        """Wait until an object is well; `live` is what became of it."""
        look = look_at(wanted)

        def again() -> Sequence[str]:
            live.update(api.get(api.path(wanted)) or {})
            return look(api, live)

        _wait(wanted["metadata"]["name"], again, min(request.timeout or DEFAULT_TIMEOUT, self.longest), context)

    def _api(self, context: grpc.ServicerContext) -> Api:
        config = self._config(context)
        text = config["kubeconfig"]
        kubeconfig = text if "\n" in text else Path(text).expanduser().read_text(encoding="utf-8")
        key = (kubeconfig, config.get("context"))
        return self._apis.setdefault(key, Api(*key))

    @contextmanager
    def _answering(self, context: grpc.ServicerContext) -> Iterator[None]:
        with super()._answering(context):
            try:
                yield
            except ApiError as error:
                raise Refused("Invalid", str(error), "Kubernetes API") from error
            except Stopped as stopped:
                raise Refused("Unfinished", str(stopped), "Kubernetes API") from stopped
            except OSError as error:
                raise Refused("Unreachable", f"the cluster is unreachable: {error}", "Kubernetes API") from error


def _manager(request: Any) -> str:
    """Each resource of a program is a manager of its own."""
    return f"{MANAGER}-{hashlib.sha256(request.urn.encode()).hexdigest()[:8]}"


def _object(inputs: wire.Properties) -> Object:
    wanted: Object = wire.reveal(public(inputs))
    if wanted["kind"] not in CLUSTER_WIDE:
        wanted["metadata"].setdefault("namespace", "default")
    return wanted


def _id(wanted: Object) -> str:
    return "/".join(filter(None, (wanted["metadata"].get("namespace"), wanted["metadata"]["name"])))


def _leave(steps: Sequence[str], live: Object, wanted: Object, manager: str) -> None:
    """Ask of a field what it is already: what others alone look after is not asked for."""
    owners = [each["manager"] for each in live["metadata"].get("managedFields", []) if _owns(each, steps)]
    *way, last = steps
    for step in way:
        live, wanted = live.get(step, {}), wanted.get(step, {})
    if owners and manager not in owners:
        wanted.pop(last, None)
    elif last in live:
        wanted[last] = live[last]


def _owns(entry: Object, steps: Sequence[str]) -> bool:
    fields: Object | None = entry["fieldsV1"]
    for step in steps:
        fields = fields.get(f"f:{step}") if fields else None
    return fields is not None


def _became(asked: Any, live: Any) -> Any:
    """What is there of what was asked for, and no more."""
    if isinstance(asked, dict) and isinstance(live, dict):
        # Kubernetes does not keep what is empty.
        return {key: _became(each, live.get(key)) for key, each in asked.items() if key in live or not each}
    if isinstance(asked, list) and isinstance(live, list) and len(asked) == len(live):
        return [_became(*both) for both in zip(asked, live, strict=True)]
    return asked if rpc.is_rpc_secret(asked) or (live is None and not asked) else live


def _outputs(inputs: wire.Properties, live: Object) -> wire.Properties:
    """The inputs, with what the cluster added. What holds a secret stays as the engine sent it."""
    found: Object = {key: live[key] for key in ("spec", "status") if key in live}
    kept = {key: value for key, value in public(inputs).items() if key not in found or wire.reveal(value) != value}
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return {**found, **kept, "metadata": metadata}


def _unwell(what: str, error: Exception, request: Any, inputs: wire.Properties, live: Object) -> Unwell:
    urn = Urn.parse(request.urn)
    resource = CloudResource(urn.type, _id(live), urn.name, urn.text, inputs, _outputs(inputs, live))
    return Unwell(f'"{_id(live)}" {what}, but failed to fully initialize or become live: {error}', resource)


def _wait(name: str, why_not: Callable[[], Sequence[str]], seconds: float, context: grpc.ServicerContext) -> None:
    deadline = time.monotonic() + seconds
    while told := why_not():
        if time.monotonic() > deadline:
            raise Stopped(f"'{name}' timed out waiting to be Ready", told)
        if not context.is_active():
            raise Stopped(f'Resource operation was cancelled for "{name}"', told)
        time.sleep(0.25)
