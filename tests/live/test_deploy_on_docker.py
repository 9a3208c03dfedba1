"""`yard deploy`, the whole way on a real engine: built, pushed, up, called; others answer meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from tests.live.conftest import HOST
from tests.live.load import Load
from tests.live.project import Project, copy_of_project, free_port
from yard import engine, machine

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
    assert project.yard("down").code == 0


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
    assert done.code == 1
    assert "there is no service 'apy': use one of api, web; did you mean api?" in done.err
    assert "web=latest: want a digest" in done.err
