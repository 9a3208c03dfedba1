"""A stack behind the proxy, on a real Swarm, beside a real Kubernetes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from rehearsal.traffic.replica import free_port
from tests.live.apply import ApplyServicer
from tests.live.conftest import HOST
from tests.live.on_cluster import Images, exposed, namespaces, served
from tests.live.project import REQUIRED
from tests.stack import Stack
from tools.kube import node
from tools.kube.api import Api
from tools.proxy.__main__ import TAG, kept, load
from yard.machine import Machine, Notes, join_swarm, leave_swarm

GATE = {"polls": 2, "interval": 0.5, "timeout": 60, "settle": 2}


def has_traefik() -> None:
    """Skips where it was not built."""
    if not kept().exists():
        (pytest.fail if REQUIRED else pytest.skip)("no Traefik: run `make proxy`")


@pytest.fixture(scope="module")
def proxy(client: docker.DockerClient) -> Iterator[dict[str, Any]]:
    """The block of the proxy, whose image is on the engine."""
    has_traefik()
    load(client, kept())
    yield {"host": HOST, "image": TAG, "ports": {"http": free_port()}}
    client.images.remove(TAG, force=True)


@pytest.fixture
def swarm(client: docker.DockerClient, tmp_path: Path) -> Iterator[None]:
    """The engine is the only node of a swarm."""
    machine = Machine(HOST, client, Notes(tmp_path / "notes"), print)
    join_swarm(machine)
    yield
    leave_swarm(machine)


@pytest.fixture
def stack(
    tmp_path: Path, api: Api, images: Images, provider: ApplyServicer, proxy: dict[str, Any], swarm: None
) -> Iterator[Stack]:
    """On Swarm, not up yet."""
    before = namespaces(api)
    fields = {"digest": images.good, "cpu": 0.1, "memory": 64, "replicas": 2, "env": {"SWITCHYARD_DRAIN": "0s"}}
    with served(tmp_path / "stack", images, provider, exposed("nodeport"), {"api": fields}, {}) as stack:
        stack.set(orchestrator="swarm", swarm={"host": HOST}, edge="proxy", proxy=proxy, gate=GATE)
        stack.set(**{"access-logs": True})
        yield stack
    assert namespaces(api) == before


def from_elsewhere(stack: Stack) -> str:
    """The URL as callers on other machines have it, whom the kernel itself lets in. At localhost a process of Docker's
    does, which an engine before 23 may end whenever a network changes (https://github.com/moby/moby/pull/44215)."""
    return str(stack.outputs["url"]).replace("localhost", node.address())
