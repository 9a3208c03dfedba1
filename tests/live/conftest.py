"""The real Docker engine, a real registry and the real Pulumi engine. Nothing of the user's is touched."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from components.orchestrator.swarm_parts.client import SwarmError, connect
from tests.live.project import ROOT
from yard.machine import REGISTRY_IMAGE, engine_host

HOST = engine_host({})
REQUIRED = os.environ.get("SWITCHYARD_LIVE") == "1"
"""Set where everything is installed: a lack is a failure then, and not a skip."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine; skips when something is missing."""
    if reason := lacking():
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    client = docker.DockerClient(HOST, version="auto")
    yield client
    client.close()


@pytest.fixture(scope="session")
def vacancy(client: docker.DockerClient) -> None:
    """No stack `local` runs on the engine; skips when one does."""
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
