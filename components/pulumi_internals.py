"""What Switchyard uses of the Pulumi SDK that the SDK does not promise to keep: each with its reason and its place.

All of it was read in pulumi 3.272.0; paths are those in its package. tests/unit/test_pulumi_internals.py has a test of
each, to be read anew where it fails, and finds a tie that is not made here. What the SDK's public modules list in their
`__all__`, and the messages of the engine's protocol (`pulumi.runtime.proto`), may be used anywhere.
"""

from __future__ import annotations

import sys
import traceback
from asyncio import Future
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import automation as auto
from pulumi.automation import _stack, errors
from pulumi.runtime import _grpc_settings, config, mocks, resource, rpc, settings

if TYPE_CHECKING:
    import grpc  # type: ignore[import-untyped]
    from pulumi.provider import Provider
    from pulumi.runtime.proto import provider_pb2


# Of the Automation API

StackInitMode = _stack.StackInitMode
"""Whether opening a stack makes it. `Stack.create` and the like make none of a class of ours (automation/_stack.py)."""


def command_error(result: auto.CommandResult) -> auto.CommandError:
    """The kind of error that a result of the CLI is: for a CLI that is run by ourselves (automation/errors.py)."""
    return errors.create_command_error(result)


OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)


def separate_connections() -> None:
    """Let each connection to an engine be one of its own.

    Those to one address share their troubles, in gRPC, for as long as any of them lives. A process that runs many
    engines meets the address of one that is gone again, and would not be let to the new one. The SDK has no way to
    give an option to the connections that it opens but in its list of them (runtime/_grpc_settings.py).
    """
    if OWN_CONNECTION not in _grpc_settings._GRPC_CHANNEL_OPTIONS:
        _grpc_settings._GRPC_CHANNEL_OPTIONS.append(OWN_CONNECTION)


# Of configuration


def config_keys() -> set[str]:
    """Every configured key. Nothing public lists them, and without a list no misspelling can be found
    (runtime/config.py)."""
    return {*config.CONFIG.get(), *pulumi.runtime.get_config_env()}


# Of transforms


def depending(value: pulumi.Output[str], on: pulumi.Resource) -> pulumi.Output[Any]:
    """`value` as an input that a resource transform adds, so that the resource depends on `on`.

    The engine takes dependencies from what a transform returns, and the SDK sends that without any
    (runtime/_callbacks.py). So it is written here as the SDK writes an output with its dependencies (runtime/rpc.py).
    """

    def written(known: list[str]) -> dict[str, Any]:
        return {
            rpc._special_sig_key: rpc._special_output_value_sig,
            "value": known[0],
            "dependencies": [known[1]],
        }

    return pulumi.Output.all(value, on.urn).apply(written)


# Of providers


async def construct(
    provider: Provider, request: provider_pb2.ConstructRequest, context: grpc.ServicerContext, engine: str
) -> provider_pb2.ConstructResponse:
    """Have `provider` make the component that the engine at the address `engine` asks for.

    The public way, `pulumi.provider.main`, is a process for each provider; the rehearsal has many in one
    (provider/server.py).
    """
    from pulumi.provider.server import ProviderServicer  # slow, and for the rehearsal alone

    return await ProviderServicer(provider, [], engine)._construct(request, context)


def speak_in_words(kind: type[Exception]) -> None:
    """Show errors of a kind without the traceback that the SDK tells of every exception in a dynamic provider.

    To be called in the provider's process. There the SDK asks `traceback.format_exc` what to tell, and nothing else
    (dynamic/__main__.py).
    """
    whole_story = traceback.format_exc

    def format_exc(*args: Any, **kwargs: Any) -> str:
        error = sys.exception()
        return str(error) if isinstance(error, kind) else whole_story(*args, **kwargs)

    vars(traceback)["format_exc"] = format_exc


# Of tests without an engine

Monitor = mocks.MockMonitor
"""What programs register with under `set_mocks`; `set_mocks` takes another, but has no public base for it
(runtime/mocks.py)."""


def register_with(monitor: mocks.MockMonitor, project: str, stack: str) -> None:
    """Have the programs of this process register with `monitor`.

    As `pulumi.runtime.set_mocks` does, which also makes a root: `run_in_stack` makes one for each run
    (runtime/mocks.py, runtime/settings.py).
    """
    pulumi.runtime.configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            engine=mocks.MockEngine(None),
            project=project,
            stack=stack,
            root_directory=None,  # else what an earlier run of this process has set
            dry_run=False,
            organization=None,
            callbacks=None,
        )
    )
    settings.ROOT.set(None)


def unfinished() -> set[Future[Any]]:
    """The outputs that a program still waits for. The SDK awaits one after the other and looks at all each time
    (runtime/stack.py); at once it is quicker."""
    return {each for each in settings.SETTINGS.outputs if not each.done()}


def forget_outputs() -> None:
    """Drop those that a run which failed has left: the next one would wait for them (runtime/settings.py)."""
    settings.SETTINGS.outputs.clear()


class _NoUrn:
    async def future(self) -> None:
        return None


@contextmanager
def no_spare_urns() -> Iterator[None]:
    """The SDK makes a URN of outputs for each resource in case there is no engine. Where there is one, which makes
    them, that was a sixth of a run, for nobody (runtime/resource.py)."""
    from unittest.mock import patch  # slow, and for tests alone

    with patch.object(resource, "create_urn", lambda *_: _NoUrn()):
        yield


@contextmanager
def short_stacks() -> Iterator[None]:
    """With each resource the SDK sends the stack, which under a test runner is deep: a third of a run, for nobody
    (runtime/resource.py)."""
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = 1
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before
