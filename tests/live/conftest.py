"""The real Docker engine, a real registry and the real Pulumi engine. Nothing of the user's is touched."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from components.docker_engine import SwarmError, connect
from rehearsal.traffic.replica import free_port
from tests.live.apply import ApplyServicer
from tests.live.login_registry import login_registry
from tests.live.on_cluster import PATIENCE, Images
from tests.live.project import REQUIRED, ROOT
from tools.kube import cluster, node
from tools.kube.api import Api
from tools.kube.programs import BIN, KubeError
from yard.machine import REGISTRY_IMAGE, Machine, Notes, engine_host

HOST = engine_host({})
NO_SWARM = {"test_cluster", "test_cluster_own_app", "test_cluster_verbs", "test_page", "test_site"}
"""Files with nothing that the engine's swarm could disturb."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="module", autouse=True)
def one_swarm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the files that make the engine a swarm one runs at a time: one of them needs the cluster too, and so goes to
    the worker that has it."""
    if request.path.stem in NO_SWARM:
        yield
        return
    workers = tmp_path_factory.getbasetemp().parent
    with (workers / "swarm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    if "PYTEST_XDIST_WORKER" in os.environ:
        time.sleep(
            0.5
        )  # whoever waits has it next: a lock that is free goes to the first who asks, not who waited longest


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine; skips when something is missing."""
    if reason := lacking():
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    client = docker.DockerClient(HOST, version="auto")
    yield client
    client.close()


@pytest.fixture(scope="package")
def api() -> Iterator[Api]:
    """A cluster, and its kubectl on PATH; one that runs already is used and stays."""
    lacking = "a node needs root" if os.geteuid() else cluster.missing()
    if lacking:
        (pytest.fail if REQUIRED else pytest.skip)(f"no Kubernetes: {lacking}")
    try:
        cluster.status()
        ours = False
    except KubeError:
        cluster.start()
        ours = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(BIN), prepend=os.pathsep)
        yield cluster.client()
    if ours:
        cluster.stop()
        assert not node.RUN.exists()


@pytest.fixture(scope="package")
def images(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Iterator[Images]:
    """Images in a registry."""
    place, host = tmp_path_factory.mktemp("images"), f"localhost:{free_port()}"
    with login_registry(place / "registry", host):
        app = shutil.copytree(ROOT / "app", place / "app")  # what a build leaves in it is in nobody's way there
        made = Images(Machine(HOST, client, Notes(place), print), app, host)
        yield made
        made.remove()


@pytest.fixture(scope="package")
def provider() -> ApplyServicer:
    """What the engine takes for Pulumi's own provider."""
    provider = ApplyServicer()
    provider.longest = PATIENCE
    return provider


@pytest.fixture(scope="module")
def vacancy(client: docker.DockerClient, one_swarm: None) -> None:
    """No stack `local` runs on the engine; skips when one does. Asked when no other file's can run."""
    if client.networks.list(filters={"label": "switchyard.stack=switchyard-local"}):
        (pytest.fail if REQUIRED else pytest.skip)("a stack local runs on this engine: run `yard down` first")


def lacking() -> str | None:
    """What is missing here; None when all is there."""
    try:
        engine = connect(HOST)
    except SwarmError as error:
        return str(error)
    with engine:
        if not engine.images(REGISTRY_IMAGE) and not shutil.which("docker-registry"):
            return "no registry: install docker-registry"
    return None if (ROOT / ".tools/bin/pulumi").exists() else "no Pulumi CLI: run `make env`"
