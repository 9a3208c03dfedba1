"""Many engines, many requests, one process: none is taken for another."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import boto3
import grpc  # type: ignore[import-untyped]
import pytest
from pulumi.runtime import _grpc_settings

from rehearsal.apis import ssm
from yard import engine

CALL = "/engine/Call"


@contextmanager
def server(port: int = 0) -> Iterator[int]:
    """Answers one call at a port of this machine."""
    echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("engine", {"Call": echo}),))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield port
    server.stop(None).wait()


def test_an_engine_at_the_address_of_one_that_is_gone_is_reached() -> None:
    assert engine  # which sees to it

    def connect(port: int) -> Any:
        return grpc.insecure_channel(f"127.0.0.1:{port}", _grpc_settings._GRPC_CHANNEL_OPTIONS).unary_unary(CALL)

    with server() as port:
        former = connect(port)
        assert former(b"1") == b"1"
    with pytest.raises(grpc.RpcError):
        former(b"2")
    with server(port):
        assert connect(port)(b"3") == b"3"


def test_commands_that_run_at_once_are_told_apart() -> None:
    together = Barrier(2)

    def run(_instance: str, script: str) -> ssm.CommandResult:
        together.wait(30)
        return ssm.CommandResult(0, script)

    endpoint = ssm.serve(lambda *_: [], run)
    client: Any = boto3.client(
        "ssm",
        endpoint_url=endpoint.url,
        region_name="eu-central-1",
        aws_access_key_id="rehearsal",
        aws_secret_access_key="rehearsal",
    )

    def said(script: str) -> str:
        where = "i-0123456789abcdef0"
        sent = client.send_command(
            InstanceIds=[where], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}
        )
        told = client.get_command_invocation(CommandId=sent["Command"]["CommandId"], InstanceId=where)
        return str(told["StandardOutputContent"])

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(said, ("one", "two"))) == ["one", "two"]
    endpoint.close()
