"""`yard up` and `yard down`, the whole way: build, push, Pulumi, Swarm, a request."""

import io
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.live.calling import call
from tests.live.conftest import HOST
from tests.live.load import Load, meshed
from tests.live.project import Project, copy_of_project
from yard import image
from yard.machine import Machine

SERVICE = "switchyard-local-api"
SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient, vacancy: None) -> Iterator[Project]:
    """Up once for all tests of this file. After the last, `down` leaves nothing."""
    project = copy_of_project(tmp_path_factory.mktemp("project"), HOST)
    config, engine = project.local.file.read_text(encoding="utf-8"), settled(client)
    yield project
    down = project.yard("down", "--yes")
    assert down.code == 0, down.err
    assert settled(client) == engine
    assert project.local.file.read_text(encoding="utf-8") == config
    assert not project.local.state.exists()
    assert not project.local.notes.directory.exists()


@pytest.fixture(scope="module")
def first(project: Project) -> Any:
    """What the first `up` said."""
    return project.yard("up", "--json").json


def api_of(outcome: Any) -> Any:
    """What became of the service `api`."""
    return outcome["services"]["api"]


def settled(client: docker.DockerClient) -> set[str]:
    """What is on the engine when nothing moves: the builds of test_cluster.py come and go."""
    before, now = set[str](), everything_on(client)
    while before != now:
        time.sleep(1)
        before, now = now, everything_on(client)
    return now


def everything_on(client: docker.DockerClient) -> set[str]:
    """Whatever `up` could have left on the engine; not the images of test_cluster.py."""
    found = {f"network {each.name}" for each in client.networks.list()}
    found |= {f"container {each.id}" for each in client.containers.list(all=True, ignore_removed=True)}
    found |= {f"volume {each.id}" for each in client.volumes.list()}
    names = [name for each in client.images.list() for name in (*each.tags, *each.attrs["RepoDigests"])]
    found |= {f"image {name}" for name in names if "/acme/" not in name}
    if client.info()["Swarm"].get("ControlAvailable"):
        found |= {f"service {each.id}" for each in client.services.list()}
        found |= {f"secret {each.id}" for each in client.secrets.list()}
        found.add("swarm")
    return found


def service(client: docker.DockerClient) -> Any:
    """The service as the engine has it."""
    services: Any = client.services
    return services.get(SERVICE)


def test_up_answers(project: Project, first: Any) -> None:
    answer = api_of(first)["answer"]
    assert answer["orchestrator"] == "swarm"
    assert answer["service"] == "api"
    assert answer["version"] == project.local.notes.read()["images"]["api"]["version"]
    assert answer["host"]
    assert first["changes"]["create"] > 0
    assert project.local.digest("api") == api_of(first)["digest"]
    assert project.local.block("services")["api"].get("digest") is None, "it stands in a file that is tracked"


def test_second_up_changes_nothing(project: Project, first: Any) -> None:
    again = project.yard("up", "--json").json
    assert again["changes"] == {}
    assert api_of(again)["digest"] == api_of(first)["digest"]
    assert api_of(again)["answer"] == api_of(first)["answer"], "another container answers"
    assert again["seconds"] < 15


def test_replicas_are_confined(client: docker.DockerClient, first: Any) -> None:
    (container,) = client.containers.list(filters={"label": "switchyard.service=api"})
    config, host = container.attrs["Config"], container.attrs["HostConfig"]
    assert config["User"] == "65532"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["Memory"] == 64 * 2**20
    assert host["NanoCpus"] == 250_000_000


def test_what_was_scaled_by_hand_is_put_right(project: Project, client: docker.DockerClient, first: Any) -> None:
    service(client).scale(0)
    outcome = project.yard("up", "--json").json
    assert outcome["changes"] == {"update": 1}
    assert service(client).attrs["Spec"]["Mode"]["Replicated"]["Replicas"] == 1


def test_what_was_removed_by_hand_is_made_again(project: Project, client: docker.DockerClient, first: Any) -> None:
    service(client).remove()
    outcome = project.yard("up", "--json").json
    assert outcome["changes"] == {"create": 1}
    assert api_of(outcome)["answer"]["version"] == api_of(first)["answer"]["version"]


def test_a_new_version_is_rolled_out_under_load(project: Project, client: docker.DockerClient, first: Any) -> None:
    with (project.root / "app/go.mod").open("a", encoding="utf-8") as file:
        file.write("// Another version.\n")
    with Load(api_of(first)["url"]) as load:
        outcome = project.yard("up", "--json").json
    assert outcome["changes"] == {"update": 1}
    assert api_of(outcome)["answer"]["version"] not in ("", api_of(first)["answer"]["version"])
    load.check(meshed(client, "switchyard-local"))


def test_a_bad_image_is_rolled_back(project: Project, client: docker.DockerClient, first: Any) -> None:
    before = call(api_of(first)["url"])["version"]
    project.configure("services", digest=pushed(project, client, 'ENTRYPOINT ["/api", "-no-such-flag"]'))
    result = project.pulumi_up()
    assert result.code == 1
    assert "is as it was before: the new version failed" in result.err
    assert "non-zero exit (2)" in result.err
    assert "flag provided but not defined: -no-such-flag" in result.err
    assert "Traceback" not in result.err
    assert call(api_of(first)["url"])["version"] == before
    project.configure("services", digest=None)
    assert api_of(project.yard("up", "--json").json)["answer"]["version"] == before


def test_a_digest_that_nobody_pushed_is_named(project: Project, first: Any) -> None:
    before = call(api_of(first)["url"])["version"]
    project.configure("services", digest=f"sha256:{'0' * 64}")
    result = project.pulumi_up()
    assert result.code == 1
    assert "push it, and check the service's digest" in result.err
    assert call(api_of(first)["url"])["version"] == before
    project.configure("services", digest=None)
    project.yard("up", "--json").json  # noqa: B018 - must succeed


def pushed(project: Project, client: docker.DockerClient, line: str) -> str:
    """The digest of the running image with one more line in its Dockerfile."""
    repository = project.local.repository("api")
    base = f"{repository}@{project.local.digest('api')}"
    client.images.build(fileobj=io.BytesIO(f"FROM {base}\n{line}\n".encode()), tag=f"{repository}:test", rm=True)
    return image.push(Machine(HOST, client, project.local.notes, print), repository, "test")


def test_secrets_are_files_and_nowhere_else(project: Project, client: docker.DockerClient, first: Any) -> None:
    before = project.local.file.read_text(encoding="utf-8")
    set_secret(project, SECRET)
    project.yard("up", "--json").json  # noqa: B018 - must succeed
    (container,) = client.containers.list(filters={"label": "switchyard.service=api"})
    inside = Path("/proc", str(container.attrs["State"]["Pid"]), "root", "run/secrets/DB_PASSWORD")
    assert inside.read_text() == SECRET
    assert inside.stat().st_uid == 65532
    assert inside.stat().st_mode & 0o777 == 0o400
    assert "DB_PASSWORD_FILE=/run/secrets/DB_PASSWORD" in container.attrs["Config"]["Env"]
    assert SECRET not in str(container.attrs) + str(service(client).attrs)
    assert SECRET not in project.local.file.read_text(encoding="utf-8")
    files = [each for each in project.local.state.rglob("*") if each.is_file()]
    assert files
    assert not [each for each in files if SECRET in each.read_text(encoding="utf-8")]

    set_secret(project, SECRET.upper())
    assert project.yard("up", "--json").json["changes"] == {"replace": 1, "update": 1}
    assert len(client.secrets.list(filters={"label": "switchyard.stack=switchyard-local"})) == 1
    project.local.file.write_text(before, encoding="utf-8")


def set_secret(project: Project, value: str) -> None:
    """As `pulumi config set --secret --path` does."""
    project.set_secret("services.api.secrets.DB_PASSWORD", value)


def test_a_taken_port_is_named(project: Project, first: Any) -> None:
    mine = project.local.block("swarm")["ports"]
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        project.configure("swarm", ports={"api": taken})
        result = project.pulumi_up()
    assert result.code == 1
    assert f"port {taken} of this machine is taken" in result.err
    assert "another port with swarm.ports" in result.err
    project.configure("swarm", ports=mine)
    assert api_of(project.yard("up", "--json").json)["answer"]


def test_too_many_replicas_for_the_nodes_are_refused(project: Project, client: docker.DockerClient, first: Any) -> None:
    if meshed(client, "switchyard-local"):
        pytest.skip("this kernel has the routing mesh")
    project.configure("services", replicas=2)
    result = project.pulumi_up()
    assert result.code == 1
    assert "2 replicas on 1 node(s)" in result.err
    project.configure("services", replicas=1)
