"""The deploy.yml that `yard ci init` writes: its commands run here, in order, against a real registry and a real swarm.

What needs GitHub or the internet has a stand-in, and the test names each: the checkout (the files are here), the set-up
of the environment (it is here), BuildKit's set-up, the registry's login (this one has none), and the build, which
Docker's classic builder does without provenance.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import docker
import pytest
import yaml

from rehearsal.traffic.replica import free_port
from tests.live.conftest import HOST
from tests.live.project import Project, copy_of_project
from tests.live.workflow_runner import Runner
from yard import engine, machine

STAGING = "staging"
STAND_INS = ["actions/checkout", "Set up yard", "docker/login-action", "docker/setup-buildx-action"]


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def build(inputs: Mapping[str, str]) -> dict[str, str]:
    """Build and push as the inputs say, with the builder that is here; the digest, as the action tells it."""
    assert inputs["push"] == "true"
    arguments = [word for each in inputs["build-args"].splitlines() for word in ("--build-arg", each)]
    labels = [word for each in inputs["labels"].splitlines() for word in ("--label", each)]
    image = ["--tag", inputs["tags"], "--file", inputs["file"], "--target", inputs["target"], *arguments, *labels]
    env = {**os.environ, "DOCKER_HOST": HOST, "DOCKER_BUILDKIT": "0"}
    subprocess.run(["docker", "build", "--quiet", *image, inputs["context"]], check=True, env=env)
    subprocess.run(["docker", "push", "--quiet", inputs["tags"]], check=True, env=env)
    with closing(docker.DockerClient(HOST, version="auto")) as client:
        return {"digest": str(client.images.get_registry_data(inputs["tags"]).id)}


class Repository:
    """A project in a repository, with a stack whose state is in a directory, and its workflow."""

    def __init__(self, project: Project, state: Path) -> None:
        self.root, self.project, self.state = project.root, project, state
        self.env = {"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "ours"}
        file = yaml.safe_load(project.local.file.read_text(encoding="utf-8"))
        file["config"]["switchyard:swarm"]["ports"] = {"api": free_port()}
        self.file = self.root / f"config/Pulumi.{STAGING}.yaml"
        self.file.write_text(yaml.safe_dump(file), encoding="utf-8")
        git(self.root, "init", "--quiet", "--initial-branch", "main")
        engine.stack(STAGING, self.root, state=state, env=self.env)  # as the first `up`, from somebody's machine
        written = project.yard("ci", "init", "--stack", STAGING, "--force", "--json").json
        assert [each["name"] for each in written["settings"] if each["secret"]] == [
            "REGISTRY_PASSWORD",
            "PULUMI_CONFIG_PASSPHRASE",
        ]
        assert "swarm.host is" in written["lacks"][0], "this runner is beside the engine, as GitHub's are not"
        self.commit("Workflows")

    def commit(self, message: str) -> str:
        git(self.root, "add", ".")
        git(self.root, "commit", "--quiet", "--message", message)
        return git(self.root, "rev-parse", "HEAD")

    def push(self, scratch: Path) -> Runner:
        """What GitHub does when the newest commit is pushed."""
        scratch.mkdir()
        github = {"server_url": "https://github.com", "repository": "acme/shop", "ref_name": "main"}
        sha = git(self.root, "rev-parse", "HEAD")
        runner = Runner(
            folder=self.root,
            scratch=scratch,
            stand_ins={**dict.fromkeys(STAND_INS, lambda inputs: {}), "docker/build-push-action": build},
            contexts={
                "vars": {"PULUMI_BACKEND_URL": self.env["PULUMI_BACKEND_URL"]},
                "secrets": {"PULUMI_CONFIG_PASSPHRASE": self.env["PULUMI_CONFIG_PASSPHRASE"]},
                "github": {**github, "sha": sha},
            },
            env={**os.environ, "PYTHONPATH": str(self.root), "GITHUB_SHA": sha, "GITHUB_ACTOR": "octocat"},
        )
        runner.run(self.root / ".github/workflows/deploy.yml")
        return runner


@pytest.fixture
def repository(tmp_path: Path, client: docker.DockerClient, vacancy: None) -> Iterator[Repository]:
    project = copy_of_project(tmp_path / "project", HOST)
    project.yard("up", "--json").json  # noqa: B018 - the swarm and the registry
    found = Repository(project, tmp_path / "state")
    yield found
    engine.Watch().run(engine.stack(STAGING, project.root, state=found.state, env=found.env).destroy)
    here = machine.Machine(HOST, client, project.local.notes, print)
    machine.remove_images(here, f"switchyard-{STAGING}", [_repository(project)])
    assert project.yard("down", "--yes").code == 0


def _repository(project: Project) -> str:
    return project.local.repository("api").replace("-local/", f"-{STAGING}/")


def outcome(runner: Runner) -> dict[str, dict[str, object]]:
    """What `yard deploy` told, in the run's summary."""
    found: dict[str, dict[str, object]] = json.loads(runner.summary)
    return found


def test_a_push_deploys_and_what_is_built_already_is_not_built_again(repository: Repository, tmp_path: Path) -> None:
    first = repository.push(tmp_path / "first")
    assert first.replaced == [*STAND_INS, "docker/build-push-action", "actions/checkout", "Set up yard"]
    api = outcome(first)["services"]["api"]
    assert isinstance(api, dict)
    assert api["answer"]["service"] == "api"

    again = repository.push(tmp_path / "again")
    assert again.skipped == ["Build and push api"]
    assert outcome(again)["changes"] == {}
    assert outcome(again)["services"]["api"] == api

    with (repository.root / "app/go.mod").open("a", encoding="utf-8") as file:
        file.write("// Another version.\n")
    sha = repository.commit("Another version")
    newer = outcome(repository.push(tmp_path / "newer"))["services"]["api"]
    assert isinstance(newer, dict)
    assert newer["digest"] != api["digest"]
    assert newer["answer"]["version"] == sha[:7], "the version is the commit that changed the service"
    releases = repository.project.yard("releases", "--stack", STAGING, "--json", **repository.env).json
    assert [each["by"] for each in releases] == ["octocat", "octocat"]
    assert releases[0]["commit"] == sha
