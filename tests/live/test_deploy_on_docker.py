"""`yard deploy`, the whole way on a real engine: built, pushed, up, called; others answer meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from rehearsal.traffic.replica import free_port
from tests.live.conftest import HOST
from tests.live.load import Load, meshed
from tests.live.project import Project, copy_of_project
from yard import engine, machine
from yard.image import is_lost

STAGING = "staging"


class Team:
    """A team's project with a stack of its own, whose state is in a directory."""

    def __init__(self, project: Project, state: Path) -> None:
        self.project = project
        self.env = {"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "ours"}
        self.local = project.yard("up", "--json").json["services"]["api"]
        """Service api of stack local; its `up` made the swarm, the registry, and the example's binary."""
        file = yaml.safe_load(project.local.file.read_text(encoding="utf-8"))
        file["config"]["switchyard:swarm"]["ports"] = {"api": free_port(), "web": free_port()}
        services = file["config"]["switchyard:services"]
        services["web"] = {"memory": 64, "build": {"context": "shop"}, "env": {"SWITCHYARD_DRAIN": "0s"}}
        (project.root / f"config/Pulumi.{STAGING}.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
        engine.stack(STAGING, project.root, state=state, env=self.env)
        _bring_a_shop(project.root)
        self.first = self.deploy()

    def deploy(self, *services: str) -> Any:
        """Run `yard deploy`; its outcome, of each service, without how long its answer took."""
        done = self.project.yard("deploy", *services, "--stack", STAGING, "--json", **self.env)
        return {
            name: {key: each[key] for key in each.keys() - {"seconds"}} for name, each in done.json["services"].items()
        }

    def change(self) -> None:
        """Make another version of service api."""
        with (self.project.root / "app/go.mod").open("a", encoding="utf-8") as file:
            file.write("// Another version.\n")


def _bring_a_shop(root: Path) -> None:
    """Not ours: a binary of theirs in a Dockerfile of theirs."""
    shop = root / "shop"
    shop.mkdir()
    (shop / "server").write_bytes((root / "app/bin/api").read_bytes())
    (shop / "server").chmod(0o755)
    (shop / "Dockerfile").write_text('FROM scratch\nCOPY server /server\nENTRYPOINT ["/server"]\n', encoding="utf-8")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient, vacancy: None) -> Iterator[Team]:
    """One for all the tests here: it takes a minute to come and go."""
    place = tmp_path_factory.mktemp("team")
    project, state = copy_of_project(place / "project", HOST), place / "state"
    team = Team(project, state)
    yield team
    opened = engine.stack(STAGING, project.root, state=state, env=team.env)
    engine.Watch().run(opened.destroy)
    here = machine.Machine(HOST, client, project.local.notes, print)
    repositories = [project.local.repository(name).replace("-local/", f"-{STAGING}/") for name in ("api", "web")]
    machine.remove_images(here, f"switchyard-{STAGING}", repositories)
    assert project.yard("down", "--yes").code == 0


def test_services_are_deployed(team: Team) -> None:
    assert team.first["api"]["answer"]["service"] == "api"
    assert team.first["web"]["answer"]["service"] == "web"
    assert team.deploy() == team.first, "what is there already was deployed anew"


def test_what_is_wrong_is_told_before_anything_is_built(team: Team) -> None:
    done = team.project.yard("deploy", "apy", "web=latest", "--stack", STAGING, **team.env)
    assert done.code == 2
    assert "there is no service 'apy': use one of api, web; did you mean api?" in done.err
    assert "web=latest: want a digest" in done.err


def test_an_image_that_the_registry_does_not_have(team: Team, client: docker.DockerClient) -> None:
    repository = team.project.local.repository("web").replace("-local/", f"-{STAGING}/")
    assert not is_lost(client, f"{repository}@{team.first['web']['digest']}")
    assert is_lost(client, f"{repository}@sha256:{'0' * 64}")


def test_the_next_version_and_the_ways_back_under_constant_requests(team: Team, client: docker.DockerClient) -> None:
    first = team.first
    team.change()
    with Load(first["api"]["url"]) as forth, Load(first["web"]["url"]) as other:
        second = team.deploy("api")
    assert not other.failed, "a service that was not deployed was touched"
    assert list(second) == ["api"]
    assert second["api"]["digest"] != first["api"]["digest"]
    assert second["api"]["answer"]["version"] != first["api"]["answer"]["version"]
    with Load(first["api"]["url"]) as back:
        done = team.project.yard("rollback", "--stack", STAGING, "--yes", "--json", **team.env)
    assert done.json["services"]["api"]["answer"]["version"] == first["api"]["answer"]["version"]
    for load in (forth, back):
        load.check(meshed(client, f"switchyard-{STAGING}"))
    again = team.deploy(f"api={second['api']['digest']}")
    assert again["api"]["answer"]["version"] == second["api"]["answer"]["version"]
    assert "digest" not in (team.project.root / f"config/Pulumi.{STAGING}.yaml").read_text(encoding="utf-8")
    rows = team.project.yard("releases", "api", "--stack", STAGING, "--json", **team.env).json
    assert [(each["number"], each["digest"], each["back_to"], each["runs"]) for each in rows] == [
        (4, second["api"]["digest"], None, True),
        (3, first["api"]["digest"], 1, False),
        (2, second["api"]["digest"], None, False),
        (1, first["api"]["digest"], None, False),
    ]
    assert rows[1]["commit"] == rows[3]["commit"] == first["api"]["answer"]["version"]


def test_stack_local_goes_back_too(team: Team) -> None:
    first = team.local
    team.change()
    second = team.project.yard("up", "--json").json["services"]["api"]
    assert second["digest"] != first["digest"]
    back = team.project.yard("rollback", "api", "--stack", "local", "--yes", "--json").json["services"]["api"]
    assert (back["digest"], back["answer"]["version"]) == (first["digest"], first["answer"]["version"])
    rows = team.project.yard("releases", "--stack", "local", "--json").json
    assert [(each["number"], each["back_to"]) for each in rows] == [(3, 1), (2, None), (1, None)]
