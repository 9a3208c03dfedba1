"""A registry that asks who pulls: Swarm pulls with the login of the stack's configuration, and nothing else has it."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from components.docker_engine import connect
from tests.live.calling import call
from tests.live.conftest import HOST
from tests.live.login_registry import PASSWORD, USER, login_registry
from tests.live.project import Project, copy_of_project, example
from yard import image, machine


@pytest.fixture
def project(tmp_path: Path, client: docker.DockerClient, vacancy: None) -> Iterator[Project]:
    """A project whose image is in such a registry."""
    project = copy_of_project(tmp_path / "project", HOST)
    local = project.local
    with login_registry(tmp_path / "registry", local.registry):
        here = machine.Machine(HOST, client, local.notes, print)
        machine.join_swarm(here)
        repository = local.repository("api")
        image.build(example(project.root), here, f"{repository}:test", "test")
        client.login(USER, PASSWORD, registry=local.registry, reauth=True)
        project.configure("services", digest=image.push(here, repository, "test"))
        forget_image(client, repository)
        yield project
        assert project.yard("down", "--yes").code == 0


def forget_image(client: docker.DockerClient, repository: str) -> None:
    """So that Swarm has to pull it."""
    for each in client.images.list(repository):
        client.images.remove(str(each.id), force=True)


def log_in(project: Project, password: str) -> None:
    """Give the stack a login, as `pulumi config set` does."""
    project.configure("oci", username=USER)
    project.set_secret("oci.password", password)


def test_the_configured_login_pulls(project: Project) -> None:
    refused = project.pulumi_up()
    assert refused.code == 1
    assert "the registry refuses the login" in refused.err

    log_in(project, "wrong")
    refused = project.pulumi_up()
    assert refused.code == 1
    assert "the registry refuses the login: check the username and password" in refused.err
    assert "Traceback" not in refused.err

    log_in(project, PASSWORD)
    accepted = project.pulumi_up()
    assert accepted.code == 0, accepted.err
    assert call(f"http://localhost:{project.local.block('swarm')['ports']['api']}")["orchestrator"] == "swarm"
    with connect(HOST) as engine:
        assert PASSWORD not in str(engine.service("switchyard-local-api"))
    states = [file.read_text(encoding="utf-8") for file in project.local.state.rglob("*.json")]
    assert states
    assert not any(PASSWORD in text for text in states)
