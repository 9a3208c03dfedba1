"""The workflows of every registry and orchestrator: what they may, what they run, where they push to."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import orchestrator, registry
from components.cost import Demand, Item
from components.pull import Anonymous, Pull
from components.registry import RegistryArgs, RegistryOptions
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from components.workflow import ACTIONS
from tests.conformance.pairs import REFUSED
from tests.program import ROOT, registry_options
from tools import workflows
from yard.ci import written
from yard.ci.subject import Subject

USES = re.compile(r"uses: (\S+)(.*)")


@cache
def every() -> tuple[Mapping[str, str], ...]:
    return tuple(workflows.every())


def documents(name: str) -> Iterator[dict[str, Any]]:
    """One of the workflows, of every pair and case that has it."""
    for files in every():
        if text := files.get(f".github/workflows/{name}.yml"):
            yield yaml.load(text, yaml.BaseLoader)  # in which `on` is a word


def all_documents() -> list[dict[str, Any]]:
    return [each for name in ("check", "deploy", "switch") for each in documents(name)]


def jobs() -> list[dict[str, Any]]:
    return [job for each in all_documents() for job in each["jobs"].values()]


def steps() -> list[dict[str, Any]]:
    return [step for job in jobs() for step in job["steps"]]


def test_every_pair_that_a_stack_can_have_has_workflows(tmp_path: Path) -> None:
    project = workflows.Project(tmp_path)
    without = {pair for pair in product(registry.names(), orchestrator.names()) if not project.files(*pair)}
    ours = {*product(registry.REGISTRIES, orchestrator.ORCHESTRATORS)}
    assert without & ours == {*REFUSED}


class TestWhatTheyMay:
    def test_nothing_but_what_a_job_says(self) -> None:
        assert {str(each["permissions"]) for each in all_documents()} == {"{}"}
        told = {f"{key}: {value}" for job in jobs() for key, value in job["permissions"].items()}
        assert told == {
            "contents: read",
            "contents: write",
            "id-token: write",
            "packages: write",
            "pull-requests: write",
        }

    def test_what_runs_a_pull_request_has_no_login_and_may_write_nothing(self) -> None:
        for each in documents("check"):
            assert list(each["on"]) == ["pull_request"]
            assert each["jobs"]["check"]["permissions"] == {"contents": "read"}
            assert "environment" not in each["jobs"]["check"]
            assert "secrets." not in yaml.dump(each)
            comment = each["jobs"]["comment"]
            assert "uses" not in comment["steps"][0], "what may write checks nothing out"
            assert "github.event.pull_request.head.repo.full_name == github.repository" in comment["if"]

    def test_no_checkout_leaves_a_token(self) -> None:
        found = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
        assert found
        assert {step["with"]["persist-credentials"] for step in found} == {"false"}

    def test_no_value_is_put_into_a_shells_text(self) -> None:
        assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []

    def test_one_run_on_a_stack_at_a_time_and_none_is_cut_short(self) -> None:
        found = [each["concurrency"] for name in ("deploy", "switch") for each in documents(name)]
        assert found[0] == {"group": "switchyard-shop-dev", "cancel-in-progress": "false"}
        assert all(each == found[0] for each in found)

    def test_nothing_of_a_release_comes_from_a_cache(self) -> None:
        for step in [step for each in documents("deploy") for job in each["jobs"].values() for step in job["steps"]]:
            assert not {"cache-from", "cache-to"} & step.get("with", {}).keys()
            if "setup-" in step.get("uses", ""):
                assert {value for key, value in step["with"].items() if key.startswith("cache-")} == {"false"}


class TestPins:
    def test_each_action_is_at_a_commit_with_its_version_beside_it(self) -> None:
        found = {(each[1], each[2]) for files in every() for text in files.values() for each in USES.finditer(text)}
        assert found
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name) for name, _ in found), found
        assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", comment) for _, comment in found), found

    def test_the_table_has_each_once(self) -> None:
        assert len({each.name for each in ACTIONS}) == len({each.commit for each in ACTIONS}) == len(ACTIONS)


class TestWhereImagesGo:
    @pytest.mark.parametrize("name", registry.REGISTRIES)
    def test_it_is_where_replicas_pull_from(self, name: str) -> None:
        start(Cloud())
        options = registry_options(name)
        args = RegistryArgs(services=("api",), namespace="shop", protect=False, on_aws=True, options=options)
        url = str(deploy(lambda: registry.load(name)("registry", args).repositories["api"].url))
        prefix = options.workflow_push("us-east-1").prefix
        if "${{" in prefix:  # the account's: all of it stands before the first repository of the stack
            assert url.endswith(f"/{options.path('shop', 'api')}")
        else:
            assert url == f"{prefix}/{options.path('shop', 'api')}"

    def test_the_tag_is_the_one_that_retention_counts(self) -> None:
        assert str(registry_options("ecr").tag).startswith(registry.DEPLOYED)

    def test_a_third_partys_registry_has_a_login_by_name_and_password(self) -> None:
        class Acme(RegistryOptions):
            key = "acme"

            def pulled_by(self, on_aws: bool) -> type[Pull]:
                return Anonymous

            def costs(self, demand: Demand) -> Iterator[Item]:
                yield from ()

        push = Acme().workflow_push("us-east-1")
        assert push.prefix == "${{ vars.REGISTRY }}"
        (login,) = push.access.steps
        assert login.inputs["password"] == "${{ secrets.REGISTRY_PASSWORD }}"
        assert [each.name for each in push.access.settings] == ["REGISTRY", "REGISTRY_USERNAME", "REGISTRY_PASSWORD"]

    @pytest.mark.parametrize(
        ("name", "permission", "says"),
        [
            ("ecr", "id-token", "aws-actions/amazon-ecr-login"),
            ("ecr-public", "id-token", "registry-type: public"),
            ("ghcr", "packages", "${{ secrets.GITHUB_TOKEN }}"),
            ("dockerhub", None, "${{ secrets.DOCKERHUB_TOKEN }}"),
            ("artifact-registry", "id-token", "${{ vars.GOOGLE_WORKLOAD_IDENTITY_PROVIDER }}"),
            ("oci", None, "${{ secrets.REGISTRY_PASSWORD }}"),
        ],
    )
    def test_each_registry_has_its_login(self, name: str, permission: str | None, says: str, tmp_path: Path) -> None:
        text = workflows.Project(tmp_path).files(name, "eks")[".github/workflows/deploy.yml"]
        build = yaml.safe_load(text)["jobs"]["build"]
        assert says in yaml.safe_dump(build)
        assert build["permissions"].keys() - {"contents"} == ({permission} if permission else set())

    def test_a_cache_is_filled_before_the_deployment_and_only_where_there_is_one(self, tmp_path: Path) -> None:
        project = workflows.Project(tmp_path)
        for pair, filled in {("ghcr", "eks"): True, ("ghcr", "kubernetes"): False, ("ecr", "eks"): False}.items():
            deploy = yaml.safe_load(project.files(*pair)[".github/workflows/deploy.yml"])["jobs"]["deploy"]
            names = [step["name"] for step in deploy["steps"]]
            assert ("Fill the cache with api" in names) is filled
            assert names[-1] == "Deploy and call"


class TestWhatTheyRun:
    def test_an_image_for_another_cpu_is_emulated(self, tmp_path: Path) -> None:
        project = workflows.Project(tmp_path)
        without = project.files("ecr", "ecs-fargate")
        with_ = project.files("ecr", "ecs-fargate", services={"api": workflows.SERVICE, "web": workflows.ARM})
        name = ".github/workflows/deploy.yml"
        assert "setup-qemu" not in without[name]
        qemu = [
            step for step in yaml.safe_load(with_[name])["jobs"]["build"]["steps"] if "qemu" in step.get("uses", "")
        ]
        assert [step["with"]["platforms"] for step in qemu] == ["linux/arm64"]
        assert '"api=$IMAGE_API" "web=$IMAGE_WEB"' in with_[name]

    def test_a_build_has_provenance_and_a_bill_of_materials(self) -> None:
        builds = [step for step in steps() if "build-push-action" in step.get("uses", "")]
        assert {(step["with"]["provenance"], step["with"]["sbom"]) for step in builds} == {("mode=max", "true")}

    def test_a_project_in_a_folder_runs_there(self, tmp_path: Path) -> None:
        files = workflows.Project(tmp_path).files("ecr", "ecs-fargate", folder="deploy")
        found = yaml.safe_load(files[".github/workflows/deploy.yml"])
        assert found["defaults"]["run"]["working-directory"] == "deploy"
        assert "/deploy/api" in files[".github/dependabot.yml"]

    def test_only_a_stack_behind_an_edge_switches(self, tmp_path: Path) -> None:
        project = workflows.Project(tmp_path)
        assert ".github/workflows/switch.yml" in project.files("ecr", "eks")
        assert ".github/workflows/switch.yml" not in project.files("ghcr", "kubernetes")

    def test_an_orchestrator_that_no_runner_reaches_is_told(self, tmp_path: Path) -> None:
        project = workflows.Project(tmp_path)
        assert project.files("oci", "swarm")
        (why,) = Subject.of(tmp_path, "dev").up.lacks
        assert "swarm.host is not set" in why
        assert project.files("oci", "swarm", swarm={"host": "ssh://deployer@swarm.example.com"})
        up = Subject.of(tmp_path, "dev").up
        assert (up.lacks, [each.name for each in up.settings][-2:]) == ((), ["SWARM_SSH_KEY", "SWARM_KNOWN_HOSTS"])

    def test_the_key_github_says_which_branch_deploys_where_and_what_may_be_switched_to(self, tmp_path: Path) -> None:
        files = workflows.Project(tmp_path).files("ecr", "ecs-fargate", github=workflows.GITHUB)
        deploy = yaml.load(files[".github/workflows/deploy.yml"], yaml.BaseLoader)
        assert deploy["on"]["push"]["branches"] == ["trunk"]
        assert {name: job.get("environment") for name, job in deploy["jobs"].items()} == {
            "build": None,
            "deploy": "production",
        }
        switch = yaml.load(files[".github/workflows/switch.yml"], yaml.BaseLoader)
        assert switch["on"]["workflow_dispatch"]["inputs"]["to"]["options"] == ["ecs-fargate", "eks"]
        assert switch["jobs"]["switch"]["environment"] == "production"


class TestTheLinters:
    """They would find what is wrong: what is here is right, and `make check` holds the rest to it."""

    JOB = "jobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n"
    BAD = {
        "template-injection": f"on: issues\n{JOB}      - run: echo ${{{{ github.event.issue.title }}}}\n",
        "wiht": f"on: push\n{JOB}      - run: 'true'\n        wiht: {{}}\n",
    }
    """What to find, as one of the two says it."""

    @pytest.mark.parametrize("says", BAD)
    def test_each_finds_what_is_wrong(self, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        linter = workflows.actionlint()
        assert linter, "actionlint was not built"
        folder = tmp_path / ".github/workflows"
        folder.mkdir(parents=True)
        (folder / "bad.yml").write_text(self.BAD[says], encoding="utf-8")
        assert workflows.lint(linter, folder) != 0
        assert says in "".join(capfd.readouterr())


class TestThisRepository:
    def test_its_workflows_are_what_yard_ci_init_writes(self) -> None:
        found = written.all_of(Subject.of(ROOT, "dev"))
        assert {str(each.path): each.state for each in found} == {
            ".github/workflows/check.yml": "same",
            ".github/workflows/deploy.yml": "same",
            ".github/workflows/switch.yml": "same",
            ".github/dependabot.yml": "same",
        }


class TestRetention:
    """A push with provenance is an index of, for each platform, an image and what attests it."""

    def test_where_an_index_counts_as_one_nothing_is_to_be_counted(self) -> None:
        kept = {name: registry_options(name).manifests_kept(True) for name in registry.REGISTRIES}
        assert kept == {
            "artifact-registry": None,  # of someone else
            "dockerhub": 30,
            "ecr": None,
            "ecr-public": None,
            "ghcr": 30,
            "oci": None,
        }
        made = registry.load("artifact-registry").Options.model_validate(
            {"project": "acme", "location": "us", "repository": None}
        )
        assert made.manifests_kept(True) == 30
