"""A switch from real Swarm to real Kubernetes and back, behind the proxy, while requests flow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.apply import ApplyServicer
from tests.live.conftest import HOST
from tests.live.load import Load
from tests.live.on_cluster import Images, exposed, namespaces, served
from tests.live.project import REQUIRED, free_port
from tests.program import ROOT
from tests.stack import Stack
from tools.kube.api import Api
from tools.proxy.__main__ import TAG, kept, load
from yard.machine import Machine, Notes, join_swarm, leave_swarm
from yard.switch import Switch
from yard.up import call

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
GATE = {"polls": 2, "interval": 0.5, "timeout": 60, "settle": 2}


@pytest.fixture(scope="module")
def proxy(client: docker.DockerClient) -> Iterator[dict[str, Any]]:
    """The block of the proxy, whose image is on the engine."""
    if not kept().exists():
        (pytest.fail if REQUIRED else pytest.skip)("no Traefik: run `make proxy`")
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
        yield stack
    assert namespaces(api) == before


def ours(client: docker.DockerClient) -> list[Any]:
    """What a stack has on the engine."""
    label = {"label": "switchyard.stack=switchyard-dev"}
    kinds: tuple[Any, ...] = (client.networks, client.volumes, client.containers)
    return [each for kind in kinds for each in kind.list(filters=label)]


def test_nobody_notices_that_the_orchestrator_changes(stack: Stack, client: docker.DockerClient) -> None:
    stack.up()
    url = stack.outputs["url"]
    assert call(url)["orchestrator"] == "swarm"
    assert stack.preview() == {}
    with Load(url, callers=2, kept=2) as load:
        Switch.of(stack.stack, ROOT, print, 1).run("kubernetes")
        assert call(url)["orchestrator"] == "kubernetes"
        (container,) = client.containers.list(filters={"label": "switchyard.stack=switchyard-dev"})
        assert container.name == "switchyard-dev-edge"
        Switch.of(stack.stack, ROOT, print, 1).run("swarm")
        assert call(url)["orchestrator"] == "swarm"
    load.check()
    assert stack.outputs["url"] == url
    assert stack.preview() == {}
    container.restart()
    with Load(url) as again:
        while not again.good:
            assert len(again.failed) < 1000, "it has forgotten its routes"
    stack.destroy()
    assert not ours(client)
