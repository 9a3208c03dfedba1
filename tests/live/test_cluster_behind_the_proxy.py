"""A switch from real Swarm to real Kubernetes by `yard switch`, and back by one `up`, behind the proxy, while requests
flow."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import pytest

from components.edge.proxy import ProxyOptions
from components.guard import Seen
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
        stack.set(**{"access-logs": True})
        yield stack
    assert namespaces(api) == before


def ours(client: docker.DockerClient) -> list[Any]:
    """What a stack has on the engine."""
    label = {"label": "switchyard.stack=switchyard-dev"}
    kinds: tuple[Any, ...] = (client.networks, client.volumes, client.containers)
    return [each for kind in kinds for each in kind.list(filters=label)]


def seen(stack: Stack, start: datetime) -> Mapping[str, Seen]:
    """What callers of the service got since, by the access log."""
    resources = json.loads(stack.saved())["checkpoint"]["latest"]["resources"]
    watch = ProxyOptions.watch(resources, None, None)
    assert watch is not None
    return watch.seen(start, datetime.now(UTC) + timedelta(minutes=1))["api"]


def test_nobody_notices_that_the_orchestrator_changes(stack: Stack, client: docker.DockerClient) -> None:
    stack.up()
    url = stack.outputs["url"]
    assert call(url)["orchestrator"] == "swarm"
    assert stack.preview() == {}
    start = datetime.now(UTC) - timedelta(minutes=1)
    with Load(url, callers=1, kept=1) as load:
        Switch.of(stack.stack, ROOT, print, 1).run("kubernetes")
        assert call(url)["orchestrator"] == "kubernetes"
        (container,) = client.containers.list(filters={"label": "switchyard.stack=switchyard-dev"})
        assert container.name == "switchyard-dev-edge"
        stack.set(orchestrator="swarm")
        stack.up()
        assert call(url)["orchestrator"] == "swarm"
    load.check()
    assert stack.outputs["url"] == url
    logged = seen(stack, start)
    assert {key: each.errors for key, each in logged.items()} == {"swarm": 0, "kubernetes": 0}
    # Besides the callers this test and the program ask a few times.
    assert load.good <= sum(each.requests for each in logged.values()) <= load.good * 1.01
    assert stack.preview() == {}
    container.restart()
    with Load(url) as again:
        while not again.good:
            assert len(again.failed) < 1000, "it has forgotten its routes"
    stack.destroy()
    assert not ours(client)
