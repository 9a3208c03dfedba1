"""`yard ci check`: what is missing here, in the stack and on GitHub, and the command that fixes each."""

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tools.workflows import GITHUB, Project
from yard import state
from yard.ci import ci

GH = """#!{python}
import json, sys
path = sys.argv[2].removeprefix("repos/{{owner}}/{{repo}}").strip("/")
known = json.load(open({answers!r}))
if path not in known:
    sys.exit("gh: Not Found (HTTP 404)")
print(json.dumps([known[path]] if "--slurp" in sys.argv else known[path]))
"""
REPOSITORY = {"full_name": "acme/shop", "id": 7, "owner": {"id": 3}}
OUTPUTS: Mapping[str, Any] = {
    "repositories": {name: f"registry.example.com/shop-dev/{name}" for name in ("api", "web")},
    "delivery": {"push-role": "arn:push", "deploy-role": "arn:deploy", "session": 7200},
}
VARIABLES = {
    "AWS_PUSH_ROLE": "arn:push",
    "AWS_DEPLOY_ROLE": "arn:deploy",
    "AWS_SESSION_SECONDS": "7200",
    "PULUMI_BACKEND_URL": "s3://state",
}


class GitHub:
    """What GitHub answers; `gh` is a program on the PATH that reads it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "answers.json"
        (folder / "bin").mkdir()
        gh = folder / "bin/gh"
        gh.write_text(GH.format(python=sys.executable, answers=str(self.file)), encoding="utf-8")
        gh.chmod(0o755)
        self.answers: dict[str, Any] = {
            "": REPOSITORY,
            "actions/oidc/customization/sub": {"use_default": True},
            "actions/variables": {"variables": [{"name": key, "value": value} for key, value in VARIABLES.items()]},
            "actions/secrets": {"secrets": []},
        }
        self.answer()

    def answer(self, **more: Any) -> None:
        """Change what is answered."""
        self.answers |= {key.replace("__", "/"): value for key, value in more.items()}
        self.file.write_text(json.dumps(self.answers), encoding="utf-8")


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    found = GitHub(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose workflows are written, and whose stack is up."""
    top = tmp_path / "shop"
    top.mkdir()
    found = Project(top)
    assert found.files("ecr", "ecs-fargate")
    monkeypatch.setattr("yard.here.ROOT", top)
    for name in ("init", "check"):
        monkeypatch.setattr(import_module(f"yard.ci.{name}"), "ROOT", top)
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    monkeypatch.setattr(state, "outputs", lambda *_: OUTPUTS)
    assert CliRunner().invoke(ci, ["init", "--stack", "dev"]).exit_code == 0
    return found


def check(exit_code: int = 0) -> dict[str, tuple[str, str, str]]:
    found = CliRunner().invoke(ci, ["check", "--json", "--stack", "dev"])
    assert found.exit_code == exit_code, found.output
    return {each["name"]: (each["status"], each["says"], each["fix"]) for each in json.loads(found.stdout)["checks"]}


def missing(found: Mapping[str, tuple[str, str, str]]) -> list[str]:
    return [name for name, each in found.items() if each[0] == "fail"]


def test_where_all_is_there_nothing_is_missing(project: Project, github: GitHub) -> None:
    found = check()
    assert {each[0] for each in found.values()} == {"ok"}
    assert found["variable-AWS_DEPLOY_ROLE"][1] == "arn:deploy"


class TestHere:
    def test_a_file_that_is_not_there_or_is_old_is_written_by_init(self, project: Project, github: GitHub) -> None:
        (project.top / ".github/workflows/check.yml").unlink()
        assert project.files("ecr", "eks", services={"api": {"build": "api"}, "web": {"build": "web", "path": "/web"}})
        found = check(exit_code=1)
        assert missing(found) == ["file-check", "file-deploy", "file-dependabot"]
        assert found["file-check"][2].endswith("ci init --stack dev")

    def test_one_that_a_person_changed_is_theirs(self, project: Project, github: GitHub) -> None:
        with (project.top / ".github/workflows/deploy.yml").open("a", encoding="utf-8") as file:
            file.write("# ours\n")
        assert check()["file-deploy"][0] == "warn"

    def test_a_state_on_this_machine_is_out_of_a_runners_reach(
        self, project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///home/me")
        assert missing(check(exit_code=1)) == ["state"]

    def test_an_engine_that_no_runner_reaches(self, project: Project, github: GitHub) -> None:
        assert project.files("oci", "swarm")
        found = check(exit_code=1)
        assert found["reach"][1:] == (
            "swarm.host is not set",
            "a runner of GitHub's reaches an engine by SSH alone. Set it to ssh://USER@HOST, or give the jobs a runner"
            " of your own beside the engine",
        )

    @pytest.mark.parametrize(("platforms", "status", "back"), [(1, "ok", 10), (2, "warn", 6)])
    def test_how_far_back_a_rollback_reaches_where_each_manifest_counts(
        self, project: Project, github: GitHub, platforms: int, status: str, back: int
    ) -> None:
        build = {"context": "api", "platforms": ["linux/amd64", "linux/arm64"][:platforms]}
        assert project.files("ghcr", "eks", services={"api": {"build": build}})
        found = check(exit_code=1)["retention"]
        assert found[0] == status
        assert found[1].endswith(f"so that a rollback reaches {back} back")


class TestTheStack:
    def test_roles_that_no_up_has_made(self, project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(state, "outputs", lambda *_: {"repositories": OUTPUTS["repositories"]})
        name, says, fix = check(exit_code=1)["outputs"]
        assert (name, fix) == (
            "fail",
            "set the key `github` (docs/delivery-roles.md), then pulumi up --stack dev",
        )
        assert says.startswith("the stack's output delivery.session is not there")

    def test_a_repository_that_is_not_where_workflows_push_to(
        self, project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(state, "outputs", lambda *_: {**OUTPUTS, "repositories": {"api": "quay.io/acme/shop-api"}})
        found = check(exit_code=1)["addresses"]
        assert found[1] == "workflows push api to .../shop-dev/api, and the stack's repository is quay.io/acme/shop-api"

    def test_a_stack_that_is_not_up(self, project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(state, "outputs", lambda *_: {})
        assert missing(check(exit_code=1)) == ["outputs"]

    def test_outputs_that_cannot_be_read_are_only_warned_of(
        self, project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise click.ClickException("no login")

        monkeypatch.setattr(state, "outputs", refuse)
        assert check()["outputs"][0] == "warn"


class TestGitHub:
    def test_what_is_not_there_has_the_command_that_sets_it(self, project: Project, github: GitHub) -> None:
        github.answer(actions__variables={"variables": []})
        found = check(exit_code=1)
        assert missing(found) == ["variable-AWS_PUSH_ROLE", "variable-PULUMI_BACKEND_URL", "variable-AWS_DEPLOY_ROLE"]
        assert found["variable-AWS_PUSH_ROLE"][2] == "gh variable set AWS_PUSH_ROLE --body arn:push"
        assert found["variable-PULUMI_BACKEND_URL"][2] == "gh variable set PULUMI_BACKEND_URL --body VALUE"
        assert found["variable-AWS_SESSION_SECONDS"][0] == "warn", "there is a default"

    def test_a_role_of_an_earlier_up_is_found(self, project: Project, github: GitHub) -> None:
        old = [{"name": key, "value": value} for key, value in {**VARIABLES, "AWS_DEPLOY_ROLE": "arn:old"}.items()]
        github.answer(actions__variables={"variables": old})
        found = check(exit_code=1)
        assert missing(found) == ["variable-AWS_DEPLOY_ROLE"]
        assert found["variable-AWS_DEPLOY_ROLE"][1] == "it is arn:old, and the stack says arn:deploy"

    def test_a_variable_of_the_organisation_counts(self, project: Project, github: GitHub) -> None:
        github.answer(
            actions__variables={"variables": []},
            **{"actions__organization-variables": github.answers["actions/variables"]},
        )
        assert missing(check()) == []

    def test_a_secret_is_only_looked_for_by_its_name(self, project: Project, github: GitHub) -> None:
        assert project.files("dockerhub", "eks")
        assert CliRunner().invoke(ci, ["init", "--stack", "dev"]).exit_code == 0
        assert {"variable-DOCKERHUB_USERNAME", "secret-DOCKERHUB_TOKEN"} <= {*missing(check(exit_code=1))}
        github.answer(actions__secrets={"secrets": [{"name": "DOCKERHUB_TOKEN"}]})
        assert "secret-DOCKERHUB_TOKEN" not in missing(check(exit_code=1))

    def test_a_form_of_subject_that_no_role_trusts(self, project: Project, github: GitHub) -> None:
        github.answer(
            actions__oidc__customization__sub={"use_default": False, "include_claim_keys": ["repo", "context"]}
        )
        status, says, fix = check(exit_code=1)["subject"]
        assert (status, "by repo, context" in says) == ("fail", True)
        assert fix.startswith("gh api --method PUT 'repos/{owner}/{repo}/actions/oidc/customization/sub'")

    def test_numbers_that_the_roles_trust_are_compared(self, project: Project, github: GitHub) -> None:
        github.answer(environments__production={}, **{"environments/production/variables": {"variables": []}})
        assert project.files("ecr", "ecs-fargate", github=GITHUB)
        assert CliRunner().invoke(ci, ["init", "--stack", "dev"]).exit_code == 0
        assert check()["repository"] == ("ok", "acme/shop, with the numbers that the roles trust", "")
        github.answer(**{"": {**REPOSITORY, "id": 8}})
        status, says, fix = check(exit_code=1)["repository"]
        assert (status, says) == ("fail", "github.repository-id is 7, and on GitHub it is 8")
        assert fix == "pulumi config set --path github.repository-id 8 --stack dev; pulumi up --stack dev"

    def test_an_environment_that_is_not_there_is_made_by_a_command(self, project: Project, github: GitHub) -> None:
        github.answer(**{"environments/production/variables": {"variables": []}})
        assert project.files("ecr", "ecs-fargate", github=GITHUB)
        assert CliRunner().invoke(ci, ["init", "--stack", "dev"]).exit_code == 0
        found = check(exit_code=1)["environment"]
        assert found[2] == "gh api --method PUT 'repos/{owner}/{repo}/environments/production'"

    def test_roles_that_know_no_switch_are_warned_of(self, project: Project, github: GitHub) -> None:
        keys = ("repository", "repository-id", "owner-id")
        assert project.files("ecr", "ecs-fargate", github={key: GITHUB[key] for key in keys})
        assert check()["switch"][0] == "warn"

    def test_without_gh_each_setting_is_listed(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        if Path("/usr/bin/gh").exists():
            pytest.skip("gh is installed here")
        found = check()
        assert found["github"][0] == "warn"
        assert found["variable-AWS_PUSH_ROLE"] == (
            "warn",
            "nobody looked whether it is there. It is the ARN of the role that pushes images",
            "gh variable set AWS_PUSH_ROLE --body arn:push",
        )

    def test_a_repository_that_github_does_not_know_is_told_in_its_words(
        self, project: Project, github: GitHub
    ) -> None:
        del github.answers[""]
        github.answer()
        assert check()["github"][1] == "GitHub cannot be asked: gh: Not Found (HTTP 404)"
