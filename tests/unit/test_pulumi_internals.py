"""Each tie to the SDK's own parts still holds, and there is none elsewhere."""

import ast
import asyncio
import contextvars
import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import grpc  # type: ignore[import-untyped]
import pulumi
import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]
from pulumi import automation as auto
from pulumi.provider import ConstructResult, Provider
from pulumi.runtime import rpc, settings
from pulumi.runtime.proto import provider_pb2

from components import pulumi_internals
from components.testing.cloud import Cloud
from components.testing.engine import Engine, deploy, start
from tests.program import ROOT


class Group(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("test:index:Group", name)
        self.register_outputs({"label": name})


def two_groups() -> None:
    Group("a")
    Group("b")


class TestTheAutomationApi:
    @pytest.mark.parametrize(
        ("mode", "asked"),
        [("create", "create_stack"), ("select", "select_stack"), ("create_or_select", "select_stack")],
    )
    def test_a_stack_opens_in_each_mode(self, mode: str, asked: str) -> None:
        workspace = create_autospec(auto.LocalWorkspace, instance=True)
        auto.Stack("dev", workspace, pulumi_internals.StackInitMode(mode))
        assert [name for name, _, _ in workspace.method_calls if name.endswith("_stack")] == [asked]

    def test_an_error_of_the_cli_has_its_kind(self) -> None:
        missing = auto.CommandResult("", "error: no stack named 'dev' found", 1)
        assert isinstance(pulumi_internals.command_error(missing), auto.StackNotFoundError)

    def test_each_connection_is_one_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[Any] = []
        connect = grpc.insecure_channel

        def watched(target: str, options: Any) -> Any:
            opened.append(options)
            return connect(target, options)

        monkeypatch.setattr(grpc, "insecure_channel", watched)
        for _ in range(2):
            pulumi_internals.separate_connections()
        contextvars.Context().run(settings.Settings, "shop", "dev", monitor="127.0.0.1:1", engine="127.0.0.1:1")
        assert [each.count(pulumi_internals.OWN_CONNECTION) for each in opened] == [1, 1]


def test_all_configured_keys_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pulumi.runtime.set_all_config({"shop:a": "1"})
    monkeypatch.setenv("PULUMI_CONFIG", '{"shop:b": "2"}')
    assert pulumi_internals.config_keys() == {"shop:a", "shop:b"}
    assert [pulumi.runtime.get_config(key) for key in ("shop:a", "shop:b")] == ["1", "2"]


class TestProviders:
    def test_a_component_is_constructed_within_this_process(self) -> None:
        class Echo(Provider):
            def construct(self, name: str, resource_type: str, inputs: Any, options: Any = None) -> ConstructResult:
                return ConstructResult(f"urn:{resource_type}::{name}", dict(inputs))

        request = provider_pb2.ConstructRequest(project="shop", stack="dev", type="test:index:Echo", name="one")
        request.inputs.update({"size": "3"})
        answer = contextvars.Context().run(asyncio.run, pulumi_internals.construct(Echo("1.0.0"), request, None, ""))
        assert (answer.urn, MessageToDict(answer.state)) == ("urn:test:index:Echo::one", {"size": "3"})

    def test_a_dynamic_providers_error_is_its_words_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(traceback, "format_exc", traceback.format_exc)  # and back again
        pulumi_internals.speak_in_words(ValueError)
        assert self.aborted_with(ValueError("start it")) == "start it"
        assert self.aborted_with(KeyError("a bug")).startswith("Traceback")

    def aborted_with(self, error: Exception) -> str:
        """What the SDK tells of an exception in a dynamic provider. Its module is a program, which runs on import."""
        spec = find_spec("pulumi.dynamic.__main__")
        assert spec
        assert spec.origin
        source = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        (wrapper,) = (each for each in source.body if getattr(each, "name", "") == "_abort_with_traceback")
        names: dict[str, Any] = {"grpc": grpc, "traceback": traceback}
        exec(compile(ast.Module([wrapper], []), spec.origin, "exec"), names)
        texts: list[str] = []

        class Context:
            def abort(self, code: Any, text: str) -> None:
                texts.append(text)

        def fails(*_: Any) -> None:
            raise error

        names["_abort_with_traceback"](fails)(None, None, Context())
        return texts[0]


class TestWithoutAnEngine:
    @pytest.mark.parametrize("method", ["RegisterResource", "RegisterResourceOutputs", "Invoke", "make_urn"])
    def test_the_pretend_engine_overrides_what_there_is(self, method: str) -> None:
        ours, sdks = (inspect.signature(getattr(each, method)) for each in (Engine, pulumi_internals.Monitor))
        assert list(ours.parameters) == list(sdks.parameters)

    def test_programs_register_with_the_pretend_engine(self) -> None:
        engine = start(Cloud(), project="shop", stack="test")
        assert settings.get_monitor() is engine
        assert (pulumi.get_project(), pulumi.get_stack()) == ("shop", "test")
        assert pulumi.runtime.get_root_resource() is None
        for _ in range(2):
            deploy(lambda: None)  # each with a root of its own
        assert not [*engine.graph]

    def test_outputs_are_waited_for_until_they_are_forgotten(self) -> None:
        async def program() -> tuple[int, int]:
            pulumi_internals.forget_outputs()
            never: Any = asyncio.Event().wait()
            pulumi.Output.from_input(never)
            waiting = len(pulumi_internals.unfinished())
            pulumi_internals.forget_outputs()
            return waiting, len(pulumi_internals.unfinished())

        start(Cloud())
        waiting, left = asyncio.run(program())
        assert waiting > left == 0

    def test_the_sdk_still_makes_urns_that_nobody_reads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[None] = []

        async def future(_self: object) -> None:
            asked.append(None)

        monkeypatch.setattr(pulumi_internals._NoUrn, "future", future)
        start(Cloud())
        deploy(two_groups)
        assert len(asked) >= 2

    def test_the_sdk_still_sends_the_stack(self, monkeypatch: pytest.MonkeyPatch) -> None:
        frames: list[int] = []
        register = Engine.RegisterResource

        def watched(engine: Engine, request: Any) -> Any:
            frames.append(len(request.stackTrace.frames))
            return register(engine, request)

        monkeypatch.setattr(Engine, "RegisterResource", watched)
        start(Cloud())
        deploy(two_groups)
        short = max(frames)
        assert not hasattr(sys, "tracebacklimit")
        monkeypatch.setattr(pulumi_internals, "short_stacks", nullcontext)
        start(Cloud())
        deploy(two_groups)
        assert short <= 1 < max(frames)


PUBLIC = (
    *("pulumi", "pulumi.automation", "pulumi.automation.events", "pulumi.dynamic", "pulumi.provider"),
    *("pulumi.runtime", "pulumi.runtime.rpc"),
)
"""The SDK's public modules; where one has an `__all__`, what is in it."""
PROTOCOL = "pulumi.runtime.proto"


def ties(source: str) -> Iterator[str]:
    """What a module imports of the SDK, and what it takes from `pulumi.runtime` by attribute, that is not public."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                yield from (each.name for each in names if is_private(each.name))
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{each.name}" for each in names if is_private(module, each.name))
            case ast.Attribute(ast.Attribute(ast.Name("pulumi"), module), name) if f"pulumi.{module}" in PUBLIC:
                if is_private(f"pulumi.{module}", name):
                    yield f"pulumi.{module}.{name}"


def is_private(module: str, name: str = "") -> bool:
    """Whether a module, or a name in it, is one of the SDK's own parts."""
    full = f"{module}.{name}".rstrip(".")
    if module.partition(".")[0] != "pulumi" or full in PUBLIC or full.startswith(PROTOCOL):
        return False
    if module not in PUBLIC:
        return True
    listed = getattr(importlib.import_module(module), "__all__", None)
    return name.startswith("_") or (listed is not None and name not in listed)


class TestTransforms:
    def test_an_input_is_written_with_its_dependency(self) -> None:
        """As the SDK reads it; that the engine does is in tests/engine/test_deploy_role.py."""
        start(Cloud())
        written = deploy(lambda: pulumi_internals.depending(pulumi.Output.from_input("arn"), Group("a")))
        assert written != "arn"
        assert [each.endswith("::a") for each in written["dependencies"]] == [True]
        sent = Struct()
        sent.update({"boundary": written})
        assert deploy(lambda: rpc.deserialize_properties(sent)["boundary"]) == "arn"


class TestNoTieIsElsewhere:
    def test_only_this_module_has_any(self) -> None:
        files = [ROOT / "__main__.py", ROOT / "transforms.py"]
        for package in ("components", "config", "rehearsal", "yard", "tools"):
            files += (ROOT / package).rglob("*.py")
        found = {str(file.relative_to(ROOT)): [*ties(file.read_text(encoding="utf-8"))] for file in files}
        assert {file for file, each in found.items() if each} == {"components/pulumi_internals.py"}

    @pytest.mark.parametrize(
        "source",
        [
            "import pulumi.runtime.settings",
            "from pulumi.runtime.rpc import _special_sig_key",
            "from pulumi.runtime.config import CONFIG",
            "from pulumi.automation._stack import StackInitMode",
            "def later():\n    from pulumi.runtime import _grpc_settings",
            "import pulumi\npulumi.runtime.settings.SETTINGS",
        ],
    )
    def test_one_is_found(self, source: str) -> None:
        assert [*ties(source)]

    @pytest.mark.parametrize(
        "source",
        [
            "import pulumi\npulumi.runtime.set_all_config({})",
            "from pulumi import automation as auto",
            "from pulumi.runtime.proto import provider_pb2",
            "from pulumi.automation.events import OpType",
            "import pulumi_aws._utilities",
        ],
    )
    def test_what_is_public_is_none(self, source: str) -> None:
        assert not [*ties(source)]
