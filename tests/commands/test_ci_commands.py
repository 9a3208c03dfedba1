"""`yard ci init`, `image` and `fill`: what they write and print, and what they leave as it is."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.program import DIGEST
from tests.unit.test_registries import push
from tools.workflows import SERVICE, Project
from yard import doctor, machine
from yard import image as images
from yard.ci import ci
from yard.machine import Notes

DEPLOY = ".github/workflows/deploy.yml"
NEW = {f".github/workflows/{name}.yml": "new" for name in ("check", "deploy", "switch")} | {
    ".github/dependabot.yml": "new"
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on ecr and ecs-fargate, with a Dockerfile."""
    found = Project(tmp_path)
    assert found.files("ecr", "ecs-fargate")
    (tmp_path / "api").mkdir()
    (tmp_path / "api/Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    monkeypatch.setattr("yard.here.ROOT", tmp_path)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    for name in ("init", "image", "fill"):
        monkeypatch.setattr(import_module(f"yard.ci.{name}"), "ROOT", tmp_path)
    return found


def run(*words: str, exit_code: int = 0, **env: str) -> Result:
    found = CliRunner(env=env).invoke(ci, [*words, "--stack", "dev"])
    assert found.exit_code == exit_code, found.output
    return found


class TestInit:
    def test_a_second_call_changes_nothing(self, project: Project) -> None:
        assert json.loads(run("init", "--json").stdout)["files"] == NEW
        before = (project.top / DEPLOY).read_bytes()
        assert json.loads(run("init", "--json").stdout)["files"] == dict.fromkeys(NEW, "same")
        assert (project.top / DEPLOY).read_bytes() == before

    def test_what_the_configuration_changed_is_written_anew(self, project: Project) -> None:
        run("init")
        assert project.files("ghcr", "eks")
        said = run("init").stdout
        assert f"renewed {DEPLOY}" in said
        assert "ghcr.io" in (project.top / DEPLOY).read_text()

    def test_what_a_person_changed_stays_until_they_say_so(self, project: Project) -> None:
        run("init")
        theirs = (project.top / DEPLOY).read_text() + "# ours\n"
        (project.top / DEPLOY).write_text(theirs, encoding="utf-8")
        (project.top / ".github/workflows/check.yml").unlink()
        said = run("init", exit_code=2).stderr
        assert said == (
            f"Error: {DEPLOY} is not as yard wrote it. Write it anew? There is no terminal to answer at: give --force\n"
        )
        assert (project.top / DEPLOY).read_text() == theirs
        assert not (project.top / ".github/workflows/check.yml").exists(), "nothing is done by half"
        run("init", "--force")
        assert "# ours" not in (project.top / DEPLOY).read_text()

    def test_a_file_that_was_never_ours_is_one_that_a_person_changed(self, project: Project) -> None:
        (project.top / ".github").mkdir()
        (project.top / ".github/dependabot.yml").write_text("version: 2\nupdates: []\n", encoding="utf-8")
        assert ".github/dependabot.yml is not as yard wrote it" in run("init", exit_code=2).stderr

    def test_what_dependabot_brings_is_no_change_and_stays(self, project: Project) -> None:
        run("init")
        text = (project.top / DEPLOY).read_text()
        old = "aws-actions/amazon-ecr-login@062b18b96a7aff071d4dc91bc00c4c1a7945b076 # v2.0.1"
        new = f"aws-actions/amazon-ecr-login@{'a' * 40} # v2.9.9"
        assert old in text
        (project.top / DEPLOY).write_text(text.replace(old, new), encoding="utf-8")
        assert json.loads(run("init", "--json").stdout)["files"][DEPLOY] == "same"
        assert project.files("ecr", "eks", services={"api": SERVICE, "web": {**SERVICE, "path": "/web"}})
        run("init")
        renewed = (project.top / DEPLOY).read_text()
        assert "build-web" in renewed
        assert new in renewed

    def test_an_action_that_is_older_than_ours_is_renewed(self, project: Project) -> None:
        run("init")
        text = (project.top / DEPLOY).read_text()
        old = f"aws-actions/amazon-ecr-login@{'a' * 40} # v1.10.0"
        pin = "aws-actions/amazon-ecr-login@062b18b96a7aff071d4dc91bc00c4c1a7945b076 # v2.0.1"
        (project.top / DEPLOY).write_text(text.replace(pin, old), encoding="utf-8")
        assert json.loads(run("init", "--json").stdout)["files"][DEPLOY] == "old"
        assert pin in (project.top / DEPLOY).read_text()

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"services": {"api": {"digest": DIGEST}}}, "a push would deploy nothing"),
            ({"services": {"api": {"build": "api", "digest": DIGEST}}}, "take its `digest` out of Pulumi.dev.yaml"),
            ({"registry": "acr"}, "registry is 'acr'"),
        ],
    )
    def test_what_cannot_be_is_refused_before_anything_is_written(
        self, project: Project, change: dict[str, Any], says: str
    ) -> None:
        assert not project.files("ecr", "ecs-fargate", **change)
        assert says in run("init", exit_code=2).stderr
        assert not (project.top / ".github").exists()

    def test_another_stack_that_is_wrong_or_off_aws_is_only_looked_at(self, project: Project) -> None:
        config = project.top / "config"
        (config / "Pulumi.prod.yaml").write_text("config: {registry: acr}\n", encoding="utf-8")
        assert project.files("ghcr", "kubernetes")
        (config / "Pulumi.dev.yaml").rename(config / "Pulumi.edge.yaml")
        assert project.files("ecr", "eks")
        run("init", KUBECONFIG=str(project.kubeconfig))
        check = (project.top / ".github/workflows/check.yml").read_text()
        names = [line.partition("name: ")[2] for line in check.splitlines() if "- name:" in line]
        assert names == [
            "Check out",
            "Set up yard",
            "Configuration of dev",
            "Name the cluster",
            "Configuration of edge",
            "Configuration of prod",
            "Rehearse dev",
            "Cost of dev",
            "What would change",
            "Comment",
        ]

    def test_stack_local_is_of_no_runner(self, project: Project) -> None:
        (project.top / "config/Pulumi.local.yaml").write_text("config: {}\n", encoding="utf-8")
        found = CliRunner().invoke(ci, ["init", "--stack", "local"])
        assert (found.exit_code, "which no runner of GitHub's reaches" in found.stderr) == (2, True)


class TestImage:
    ADDRESS = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

    @pytest.fixture
    def registry(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """Tag -> digest of what the registry has; it is asked by a Docker engine, which there is none here."""
        found: dict[str, str] = {}
        engine = SimpleNamespace(host="unix:///none", notes=Notes(project.top / ".switchyard"), say=lambda text: None)
        monkeypatch.setattr(machine, "find", lambda *_: engine)
        monkeypatch.setattr(images, "pushed", lambda source, engine, tag: found.get(tag))
        return found

    def test_it_says_all_that_a_builder_needs(self, project: Project, registry: dict[str, str]) -> None:
        build = {"context": "api", "target": "final", "args": {"A": "1"}, "platforms": ["linux/amd64", "linux/arm64"]}
        assert project.files("ecr", "ecs-fargate", services={"api": {**SERVICE, "build": build}})
        found = json.loads(run("image", "api", "--json", PREFIX=self.ADDRESS).stdout)
        tag = found["image"].rpartition(":deployed-")[2]
        assert found == {
            "image": f"{self.ADDRESS}/shop-dev/api:deployed-{tag}",
            "digest": "",
            "context": str(project.top / "api"),
            "file": str(project.top / "api/Dockerfile"),
            "target": "final",
            "platforms": "linux/amd64,linux/arm64",
            "build-args": f"A=1\nVERSION={tag}",
        }

    def test_its_lines_are_what_github_reads(self, project: Project, registry: dict[str, str]) -> None:
        build = {"context": "api", "args": {"A": "1"}}
        assert project.files("ecr", "ecs-fargate", services={"api": {**SERVICE, "build": build}})
        said = json.loads(run("image", "api", "--json", PREFIX=self.ADDRESS).stdout)
        read, lines = {}, iter(run("image", "api", PREFIX=self.ADDRESS).stdout.splitlines())
        for line in lines:
            if "<<" in line:
                key, _, end = line.partition("<<")
                read[key] = "\n".join(iter(lambda end=end: next(lines), end))  # type: ignore[misc]
            else:
                key, _, read[key] = line.partition("=")
        assert read == said

    def test_what_the_registry_has_is_not_made_again(self, project: Project, registry: dict[str, str]) -> None:
        build = {"context": "api", "run": "touch made"}
        assert project.files("ecr", "ecs-fargate", services={"api": {**SERVICE, "build": build}})
        (project.top / "api/.dockerignore").write_text("made\n", encoding="utf-8")
        first = json.loads(run("image", "api", "--json", PREFIX=self.ADDRESS).stdout)
        assert (project.top / "api/made").exists()
        (project.top / "api/made").unlink()
        registry[first["image"]] = DIGEST
        assert json.loads(run("image", "api", "--json", PREFIX=self.ADDRESS).stdout)["digest"] == DIGEST
        assert not (project.top / "api/made").exists()

    def test_an_address_that_only_the_login_knows_is_asked_for(
        self, project: Project, registry: dict[str, str]
    ) -> None:
        assert "set PREFIX to what stands before shop-dev/SERVICE" in run("image", "api", exit_code=2, PREFIX="").stderr

    def test_an_unknown_service_is_refused(self, project: Project, registry: dict[str, str]) -> None:
        assert "use one of api" in run("image", "web", exit_code=2).stderr


class TestFill:
    GHCR = {"owner": "acme", "username": "robot", "password": "token"}

    def test_the_cache_is_asked_for_the_tag_after_its_own_login(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert project.files("ghcr", "eks")
        ran: list[str] = []
        monkeypatch.setattr(images, "run", lambda line, *_: ran.append(line))
        monkeypatch.setattr(
            import_module("yard.state"), "outputs", lambda *_: {"push": {"api": push("ghcr", self.GHCR)}}
        )
        run("fill", "api", "ghcr.io/acme/shop/api:deployed-abc")
        login, pull = ran
        assert login.endswith("--password-stdin 123456789012.dkr.ecr.us-east-1.amazonaws.com")
        assert pull == "docker pull 123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/ghcr/acme/shop/api:deployed-abc"

    def test_without_a_cache_it_is_refused(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(import_module("yard.state"), "outputs", lambda *_: {"push": {"api": "docker push x"}})
        assert "has no cache for a service api" in run("fill", "api", "x:tag", exit_code=2).stderr


class TestOffline:
    def test_the_doctor_looks_at_the_file_alone(self, project: Project) -> None:
        found = CliRunner().invoke(doctor.doctor, ["--offline", "--json", "--stack", "dev"])
        assert found.exit_code == 0, found.output
        assert [each["name"] for each in json.loads(found.stdout)["checks"]] == ["config", "secrets"]

    def test_a_secret_in_plain_text_is_found(self, project: Project) -> None:
        project.files("ecr", "eks", services={"api": {**SERVICE, "secrets": {"KEY": "hunter2"}}})
        found = CliRunner().invoke(doctor.doctor, ["--offline", "--stack", "dev"])
        assert found.exit_code == 1
        assert "hunter2" not in found.output
