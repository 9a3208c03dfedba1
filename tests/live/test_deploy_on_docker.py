"""`yard deploy`, the whole way on a real engine: built, pushed, up, called; others answer meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from tests.live.conftest import HOST
from tests.live.load import Load, meshed
from tests.live.project import Project, copy_of_project, free_port
from yard import engine, machine
from yard.image import is_lost

STAGING = "staging"


class Team:
    """A team's project with a stack of its own, whose state is in a directory."""

    def __init__(self, project: Project, state: Path) -> None:
        self.project = project
        self.env = {"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "ours"}
        file = yaml.safe_load(project.local.file.read_text(encoding="utf-8"))
        file["config"]["switchyard:swarm"]["ports"] = {"api": free_port(), "web": free_port()}
        services = file["config"]["switchyard:services"]
        services["web"] = {"memory": 64, "build": {"context": "shop"}, "env": {"SWITCHYARD_DRAIN": "0s"}}
        (project.root / f"config/Pulumi.{STAGING}.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
        engine.stack(STAGING, project.root, state=state, env=self.env)

    def deploy(self, *services: str) -> Any:
        """Run `yard deploy`; its outcome, of each service."""
        done = self.project.yard("deploy", *services, "--stack", STAGING, "--json", **self.env)
        return done.json["services"]


@pytest.fixture
def team(tmp_path: Path, client: docker.DockerClient, vacancy: None) -> Iterator[Team]:
    project = copy_of_project(tmp_path / "project", HOST)
    project.yard("up", "--json").json  # noqa: B018 - the swarm, the registry, and the example's binary
    state = tmp_path / "state"
    team = Team(project, state)
    shop = project.root / "shop"  # not ours: a binary of theirs in a Dockerfile of theirs
    shop.mkdir()
    (shop / "server").write_bytes((project.root / "app/bin/api").read_bytes())
    (shop / "server").chmod(0o755)
    (shop / "Dockerfile").write_text('FROM scratch\nCOPY server /server\nENTRYPOINT ["/server"]\n', encoding="utf-8")
    yield team
    opened = engine.stack(STAGING, project.root, state=state, env=team.env)
    engine.Watch().run(opened.destroy)
    here = machine.Machine(HOST, client, project.local.notes, print)
    repositories = [project.local.repository(name).replace("-local/", f"-{STAGING}/") for name in ("api", "web")]
    machine.remove_images(here, f"switchyard-{STAGING}", repositories)
    assert project.yard("down", "--yes").code == 0


def test_services_are_deployed_and_the_next_version_loses_no_request(team: Team) -> None:
    first = team.deploy()
    assert first["api"]["answer"]["service"] == "api"
    assert first["web"]["answer"]["service"] == "web"
    assert team.deploy() == first, "what is there already was deployed anew"
    with (team.project.root / "app/go.mod").open("a", encoding="utf-8") as file:
        file.write("// Another version.\n")
    with Load(first["web"]["url"]) as load:
        second = team.deploy("api")
    assert not load.failed, "a service that was not deployed was touched"
    assert list(second) == ["api"]
    assert second["api"]["digest"] != first["api"]["digest"]
    assert second["api"]["answer"]["version"] != first["api"]["answer"]["version"]
    back = team.deploy(f"api={first['api']['digest']}")
    assert back["api"]["answer"]["version"] == first["api"]["answer"]["version"]
    assert "digest" not in (team.project.root / f"config/Pulumi.{STAGING}.yaml").read_text(encoding="utf-8")


def test_what_is_wrong_is_told_before_anything_is_built(team: Team) -> None:
    done = team.project.yard("deploy", "apy", "web=latest", "--stack", STAGING, **team.env)
    assert done.code == 2
    assert "there is no service 'apy': use one of api, web; did you mean api?" in done.err
    assert "web=latest: want a digest" in done.err


def test_the_way_back_under_constant_requests(team: Team, client: docker.DockerClient) -> None:
    first = team.deploy()
    with (team.project.root / "app/go.mod").open("a", encoding="utf-8") as file:
        file.write("// Another version.\n")
    with Load(first["api"]["url"]) as forth:
        second = team.deploy("api")
    with Load(first["api"]["url"]) as back:
        done = team.project.yard("rollback", "--stack", STAGING, "--yes", "--json", **team.env)
    assert done.json["services"]["api"]["answer"]["version"] == first["api"]["answer"]["version"]
    for load in (forth, back):
        load.check(meshed(client, f"switchyard-{STAGING}"))
    rows = team.project.yard("releases", "api", "--stack", STAGING, "--json", **team.env).json
    assert [(each["number"], each["digest"], each["back_to"], each["runs"]) for each in rows] == [
        (3, first["api"]["digest"], 1, True),
        (2, second["api"]["digest"], None, False),
        (1, first["api"]["digest"], None, False),
    ]
    assert rows[0]["commit"] == rows[2]["commit"] == first["api"]["answer"]["version"]


def test_an_image_that_the_registry_does_not_have(team: Team, client: docker.DockerClient) -> None:
    first = team.deploy("web")["web"]
    repository = team.project.local.repository("web").replace("-local/", f"-{STAGING}/")
    assert not is_lost(client, f"{repository}@{first['digest']}")
    assert is_lost(client, f"{repository}@sha256:{'0' * 64}")


def test_stack_local_goes_back_too(team: Team) -> None:
    first = team.project.yard("up", "--json").json["services"]["api"]
    with (team.project.root / "app/go.mod").open("a", encoding="utf-8") as file:
        file.write("// Another version.\n")
    second = team.project.yard("up", "--json").json["services"]["api"]
    assert second["digest"] != first["digest"]
    back = team.project.yard("rollback", "api", "--stack", "local", "--yes", "--json").json["services"]["api"]
    assert (back["digest"], back["answer"]["version"]) == (first["digest"], first["answer"]["version"])
    rows = team.project.yard("releases", "--stack", "local", "--json").json
    assert [(each["number"], each["back_to"]) for each in rows] == [(3, 1), (2, None), (1, None)]
