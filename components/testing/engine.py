"""A pretend engine: runs a program without Pulumi's own, and keeps the graph of what it registers.

It proves wiring: who is whose child, who waits for whom, what is a secret. It proves neither that a cloud accepts the
inputs nor what the real engine does with the graph.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]
from pulumi.runtime import MockCallArgs, MockResourceArgs, rpc, run_in_stack
from pulumi.runtime.proto.provider_pb2 import CallResponse
from pulumi.runtime.proto.resource_pb2 import RegisterResourceResponse, ResourceInvokeResponse

from components import pulumi_internals

HIDDEN = "[secret]"
STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One resource as it was registered."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    remote: bool
    inputs: Mapping[str, Any] = field(repr=False)
    """What the program asked for, secrets revealed."""
    clear: Mapping[str, Any] = field(repr=False)
    """The same with every secret hidden: what stands in plain text in a state file."""
    dependencies: frozenset[str]
    """URNs of what it waits for, from `depends_on` and from its inputs."""
    from_inputs: Mapping[str, frozenset[str]]
    """Input -> URNs of what that input was made of."""
    provider: str
    """URN of an explicit provider; empty: the default one."""
    deleted_with: str
    protect: bool
    ignore_changes: tuple[str, ...]
    hooks: Mapping[str, tuple[str, ...]]
    """Kind (before_create, ...) -> names."""
    timeouts: Mapping[str, str]


class Graph:
    """Everything a program registered."""

    def __init__(self, nodes: Mapping[str, Node], outputs: Mapping[str, Mapping[str, Any]]) -> None:
        self.nodes = nodes
        self.outputs = outputs
        """URN -> what a component, or the stack, registered as outputs."""

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)

    def of(self, type_: str) -> list[Node]:
        """The resources of a type; `ecs/service:Service` is enough of its token."""
        return [node for node in self if node.type == type_ or node.type.endswith(f":{type_}")]

    def one(self, type_: str, name: str | None = None) -> Node:
        """The only resource of a type (and name); an error names what there is."""
        found = [node for node in self.of(type_) if name in (None, node.name)]
        if len(found) != 1:
            there = sorted(f"{node.type} {node.name}" for node in self)
            raise LookupError(f"{len(found)} resources are {type_} {name or ''}; there are: {', '.join(there)}")
        return found[0]

    def parents(self, node: Node) -> Iterator[Node]:
        """Parent, grandparent and so on, without the stack."""
        while node.parent in self.nodes:
            node = self.nodes[node.parent]
            yield node

    def under(self, token: str) -> list[Node]:
        """All descendants of the components of a type."""
        return [node for node in self if any(parent.type == token for parent in self.parents(node))]

    def waits_for(self, node: Node, *, skip: str = "") -> set[str]:
        """URNs of all that must be there before `node`, and goes only after it. `skip` leaves one URN's own out."""
        reached: set[str] = set()
        ahead = [node.urn]
        while ahead:
            urn = ahead.pop()
            here = self.nodes.get(urn)
            if here is None or urn == skip:
                continue
            new = (here.dependencies | {here.parent, here.provider, here.deleted_with}) - reached - {""}
            reached |= new
            ahead += new
        return reached & self.nodes.keys()

    def exports(self) -> Mapping[str, Any]:
        """What the stack exports."""
        return next(outputs for urn, outputs in self.outputs.items() if f"::{STACK}::" in urn)

    def export(self, name: str) -> Any:
        """One of them."""
        return self.exports()[name]


class Engine(pulumi_internals.Monitor):
    """Pulumi's mock monitor, with the URNs of the real engine and a memory for the whole graph."""

    def __init__(self, mocks: pulumi.runtime.Mocks) -> None:
        super().__init__(mocks)
        self._nodes: dict[str, Node] = {}
        self._outputs: dict[str, Mapping[str, Any]] = {}
        self._twice: list[str] = []

    @property
    def graph(self) -> Graph:
        """What has been registered so far. Two resources of one name are an error, as they are to the real engine."""
        if self._twice:
            raise ValueError(f"two resources have the URN {', '.join(self._twice)}")
        return Graph(dict(self._nodes), dict(self._outputs))

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine does: with the types of all parents, the stack's left out."""
        above = parent.split("::")[2] if parent else STACK
        qualified = type_ if above == STACK else f"{above}${type_}"
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK:
            return RegisterResourceResponse(urn=urn)
        if urn in self._nodes:
            self._twice.append(urn)
        raw = MessageToDict(request.object)
        self._nodes[urn] = _node(urn, request, raw)
        inputs = _values(raw)
        identity, state = self.mocks.new_resource(
            MockResourceArgs(request.type, request.name, inputs, request.provider, custom=request.custom)
        )
        # What comes back as it was sent stays a secret if it was one.
        state |= {key: value for key, value in raw.items() if state.get(key) == inputs[key]}
        return RegisterResourceResponse(urn=urn, id=identity or "", object=_struct(state))

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        answer: Any = self.mocks.call(MockCallArgs(request.tok, MessageToDict(request.args), request.provider))
        return ResourceInvokeResponse(**{"return": _struct(answer)})

    def Call(self, request: Any) -> Any:  # noqa: N802
        answer: Any = self.mocks.call(MockCallArgs(request.tok, MessageToDict(request.args), request.provider))
        return CallResponse(**{"return": _struct(answer)})

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self._outputs[request.urn] = _values(MessageToDict(request.outputs))
        return Empty()


def _node(urn: str, request: Any, raw: Mapping[str, Any]) -> Node:
    return Node(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent,
        custom=request.custom,
        remote=request.remote,
        inputs=_values(raw),
        clear=_values(raw, hide=True),
        dependencies=frozenset(request.dependencies),
        from_inputs={key: frozenset(each.urns) for key, each in request.propertyDependencies.items()},
        provider=request.provider.rpartition("::")[0],
        deleted_with=request.deletedWith,
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        hooks={kind.name: tuple(names) for kind, names in request.hooks.ListFields()},
        timeouts={kind.name: value for kind, value in request.customTimeouts.ListFields()},
    )


def _values(value: Any, hide: bool = False) -> Any:
    """Plain Python values, whole numbers as int."""
    if isinstance(value, dict):
        if rpc.is_rpc_secret(value):
            return HIDDEN if hide else _values(rpc.unwrap_rpc_secret(value))
        return {key: _values(each, hide) for key, each in value.items()}
    if isinstance(value, list):
        return [_values(each, hide) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _struct(value: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(value)
    return struct


class AtOnce(ThreadPoolExecutor):
    """Calls what is submitted: answers of the pretend engine take no time, so no thread has to wait for them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as problem:
            done.set_exception(problem)
        return done


def deploy(program: Callable[[], Any]) -> Any:
    """Run `program` until every registration has landed; return what it returned, with plain values for outputs."""
    values: list[Any] = []

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(AtOnce())
        pulumi.Output.from_input(program()).apply(values.append)
        # Pulumi awaits one output after the other and looks at all each time; at once it is quicker.
        while pending := pulumi_internals.unfinished():
            await asyncio.wait(pending)

    pulumi_internals.forget_outputs()
    with pulumi_internals.short_stacks(), pulumi_internals.no_spare_urns():
        asyncio.run(run_in_stack(run))  # as Pulumi's language host does
    return values[0]


def start(
    cloud: pulumi.runtime.Mocks,
    config: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
    project: str = "switchyard",
    stack: str = "dev",
) -> Engine:
    """A new engine over `cloud`, with a stack configuration and the keys of it that are encrypted."""
    engine = Engine(cloud)
    pulumi.runtime.set_all_config(dict(config or {}), list(secrets))
    pulumi_internals.register_with(engine, project, stack)
    return engine
