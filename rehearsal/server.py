"""Pulumi's provider protocol over a package: what the real engine attaches to."""

import asyncio
import contextvars
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from components import pulumi_internals
from rehearsal import wire
from rehearsal.eks import EksComponents
from rehearsal.operations import CUT_OFF, LATE, Operations
from rehearsal.package import Naming, Package, Urn, public
from rehearsal.state import CloudResource, Refused

WORKERS = 256
"""Calls at once. One that takes rehearsal time holds a thread while it waits."""
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 1)]


class Server:
    """One package on a port of this machine."""

    def __init__(self, servicer: provider_pb2_grpc.ResourceProviderServicer) -> None:
        self._servicer = servicer
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen; again on the same port after a stop."""
        self._server = grpc.server(ThreadPoolExecutor(WORKERS, thread_name_prefix="rehearsal"), options=OPTIONS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self._servicer, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        """Break every connection off."""
        self._server.stop(None).wait()


def _version(package: str) -> str:
    """The engine warns when a provider is older than the program's SDK asks for."""
    try:
        return version(f"pulumi-{package}")
    except PackageNotFoundError:
        return "999.0.0"


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """What every package answers alike."""

    def __init__(self, package: str) -> None:
        self._version = _version(package)
        self.engine = ""

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        self.engine = request.address
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()


class EksServicer(Servicer):
    """Package eks: only components, by the SDK's own server side. As the real one it is told which part of an input is
    not known yet, so that the rest of a map is."""

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_outputs=True)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptOutputs=True)

    def Construct(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        async def construct() -> Any:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            assert task is not None

            def stop() -> None:
                with suppress(RuntimeError):  # the loop is closed: it was over already
                    loop.call_soon_threadsafe(task.cancel)

            # An engine that dies in the middle never answers: then this ends with the call.
            if not context.add_callback(stop):
                raise asyncio.CancelledError
            return await pulumi_internals.construct(EksComponents(), request, context, self.engine)

        # The SDK keeps what it knows of the running program in context variables: this one gets its own.
        try:
            return contextvars.Context().run(asyncio.run, construct())
        except (Exception, asyncio.CancelledError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


class PackageServicer(Servicer):
    """What a package's description alone answers: names, differences, data sources."""

    def __init__(self, package: Package) -> None:
        super().__init__(package.name)
        self._package = package
        self._configs: dict[str, wire.Properties] = {}
        """By connection: the engine opens one for every provider resource of a program."""

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        olds, news = wire.load(request.old_inputs), wire.load(request.news)
        changed = wire.changes(olds, news)
        replaced = bool(changed) and self._package.replaces_provider(olds, news)
        return _difference(changed, lambda _: replaced)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answering(context):
            self._configs[context.peer()] = wire.reveal(wire.load(request.args))
        return super().Configure(request, context)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answering(context):
            answer = self._package.invoke(request.tok, wire.reveal(wire.load(request.args)), self._config(context))
            return provider_pb2.InvokeResponse(**{"return": wire.dump(answer)})

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        options = request.autonaming
        naming = Naming(
            request.name,
            request.randomSeed or request.urn.encode(),
            options.proposed_name,
            options.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE,
        )
        with self._answering(context):
            inputs = self._package.check(
                Urn.parse(request.urn), wire.load(request.news), wire.load(request.olds), naming
            )
            return provider_pb2.CheckResponse(inputs=wire.dump(inputs))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        type_ = Urn.parse(request.urn).type
        olds, news = wire.load(request.old_inputs), wire.load(request.news)
        with self._answering(context):
            answer = _difference(wire.changes(olds, news), lambda path: self._package.replaces(type_, path))
            answer.deleteBeforeReplace = bool(answer.replaces) and self._package.one_at_a_time(type_, olds, news)
            return answer

    def _config(self, context: grpc.ServicerContext) -> wire.Properties:
        try:
            return self._configs[context.peer()]
        except KeyError:
            raise Refused(
                "ConnectionLost", "the connection to the provider was lost; run the same command again", "rehearsal"
            ) from None

    @contextmanager
    def _answering(self, context: grpc.ServicerContext) -> Iterator[None]:
        try:
            yield
        except HalfMade as half:
            context.abort_with_status(half.status())
        except Refused as refusal:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refusal))


class CloudServicer(PackageServicer):
    """A package whose resources are the pretend cloud's.

    AWS finishes what was asked of it, whether or not anybody waits for the answer: what is cut off is done all the
    same, and at once. A provider that is told to stop answers with what it knows, a dead engine does not hear it.
    """

    def __init__(self, package: Package, operations: Operations) -> None:
        super().__init__(package)
        self._state = package.state
        self._operations = operations

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with self._answering(context):
            self._operations.ask(request.tok)
        return super().Invoke(request, context)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire.dump(public(wire.load(request.properties))))
        urn = Urn.parse(request.urn)
        with self._answering(context), self._operations.begin("create", urn, context) as operation:
            with self._state.lock:
                resource = self._package.make(urn, wire.load(request.properties), self._config(context))
                self._state.add(resource)
            try:
                operation.take(self._package.seconds("create", resource))
            except BaseException:
                with self._state.lock:
                    self._state.remove(resource)
                raise
            with self._state.lock:
                resource.ready, resource.made = True, self._operations.clock.now
                self._package.made(resource)
            ill = operation.felt(resource)
            with self._state.lock:
                if operation.cut_off:
                    raise HalfMade(CUT_OFF, resource)
                if operation.is_late:
                    raise HalfMade(LATE, resource)
                if why := ill or self._package.unsteady(resource):
                    raise HalfMade(why, resource)
            return provider_pb2.CreateResponse(id=resource.id, properties=wire.dump(resource.outputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs = wire.load(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=wire.dump(planned(request, inputs)))
        urn = Urn.parse(request.urn)
        with self._answering(context), self._operations.begin("update", urn, context) as operation:
            with self._state.lock:
                resource = self._there(urn, request.id, context)
                changed = self._package.change(resource, inputs, self._config(context))
            operation.take(self._package.seconds("update", changed))
            with self._state.lock:
                if why := self._package.unsteady(changed):
                    raise Refused("RolledBack", why, "ECS: the former task definition goes on running")
                self._state.change(resource, changed.inputs, changed.outputs)
                self._package.made(resource)
            if why := operation.felt(resource):
                raise Refused("RolledBack", why, "what its replicas answered here")
            if operation.is_late:
                raise Refused("Late", LATE, "the rehearsal was told to")
            return provider_pb2.UpdateResponse(properties=wire.dump(resource.outputs))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        urn = Urn.parse(request.urn)
        with self._answering(context), self._operations.begin("delete", urn, context) as operation:
            config = self._config(context)
            with self._state.lock:
                resource = self._known(urn, request, context)
                if resource is None:  # gone already, which is what was wanted
                    return empty_pb2.Empty()
                self._package.delete(resource, config)
                resource.ready = False
            try:
                operation.take(self._package.seconds("delete", resource))
            except BaseException:
                resource.ready = True
                raise
            operation.felt(resource)
            with self._state.lock:
                self._state.remove(resource)
                self._package.gone(resource)
            if operation.is_late:
                raise Refused("Late", LATE, "the rehearsal was told to")
            return empty_pb2.Empty()

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        urn = Urn.parse(request.urn)
        with self._answering(context), self._operations.begin("read", urn, context) as operation:
            operation.take(0)
            resource = self._known(urn, request, context)
            if resource is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=resource.id, properties=wire.dump(resource.outputs), inputs=wire.dump(resource.inputs)
            )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        # The engine also says so when it closes one provider among several, so only its own operations end.
        self._operations.cancel(context.peer())
        return empty_pb2.Empty()

    def _known(self, urn: Urn, request: Any, context: grpc.ServicerContext) -> CloudResource | None:
        """The resource that the state has, by its ARN where that has more than the id: revisions of one family."""
        resource = self._package.find(urn, request.id, self._config(context))
        arn = wire.reveal(wire.load(request.properties)).get("arn")
        return resource if resource is None or arn is None or resource.get("arn", arn) == arn else None

    def _there(self, urn: Urn, id_: str, context: grpc.ServicerContext) -> CloudResource:
        resource = self._package.find(urn, id_, self._config(context))
        if resource is None:
            raise Refused("NotFound", f"{urn.name} ({id_}) does not exist any more", "AWS API; run `pulumi refresh`")
        return resource

    @contextmanager
    def _answering(self, context: grpc.ServicerContext) -> Iterator[None]:
        self._operations.clock.touch()
        try:
            with super()._answering(context):
                yield
        finally:
            self._operations.clock.touch()


class HalfMade(Refused):
    """It exists, but is not well: the engine keeps it in the state and sees to it in the next run."""

    def __init__(self, why: str, resource: CloudResource) -> None:
        super().__init__("Unsteady", why, "ECS API")
        self._resource = resource

    def status(self) -> grpc.Status:
        """The error as the engine wants it told: with what there is."""
        there = provider_pb2.ErrorResourceInitFailed(
            id=self._resource.id,
            properties=wire.dump(self._resource.outputs),
            inputs=wire.dump(self._resource.inputs),
            reasons=[str(self)],
        )
        rich = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(self))
        rich.details.add().Pack(there)
        status = grpc.Status()
        status.code, status.details = grpc.StatusCode.UNKNOWN, str(self)
        status.trailing_metadata = (("grpc-status-details-bin", rich.SerializeToString()),)
        return status


def planned(request: Any, inputs: wire.Properties) -> wire.Properties:
    """What an update will leave: the new inputs, and what the cloud computed."""
    return wire.updated(wire.load(request.old_inputs), wire.load(request.olds), public(inputs))


def _difference(changed: dict[str, str], replaces: Any) -> Any:
    kinds = provider_pb2.PropertyDiff.Kind
    answer = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
        hasDetailedDiff=bool(changed),
    )
    for path, how in changed.items():
        replaced = replaces(path)
        kind = kinds.Value(f"{how.upper()}_REPLACE" if replaced else how.upper())
        answer.detailedDiff[path].kind = kind
        answer.detailedDiff[path].inputDiff = True
        answer.diffs.append(path)
        if replaced:
            answer.replaces.append(path)
    return answer
