"""What each registry does that the others do not."""

import json
from typing import Any

import pytest

from components import registry
from components.registry import Anonymous, AwsRole, Login, RegistryArgs, Repository
from components.testing.cloud import Cloud
from components.testing.engine import Graph, deploy, start


def made(name: str, options: dict[str, Any] | None = None, protect: bool = False) -> tuple[Graph, Repository]:
    """The graph of a registry, and the repository of its one service."""
    engine = start(Cloud())
    cls = registry.load(name)
    args = RegistryArgs(
        services=("api",),
        namespace="shop",
        protect=protect,
        options=cls.Options.model_validate_json(json.dumps(options or {})),
    )
    repositories: list[Repository] = []
    deploy(lambda: repositories.append(cls("registry", args).repositories["api"]))
    return engine.graph, repositories[0]


def push(name: str, options: dict[str, Any] | None = None) -> str:
    """The commands that push."""
    start(Cloud())
    cls = registry.load(name)
    args = RegistryArgs(
        services=("api",),
        namespace="shop",
        protect=False,
        options=cls.Options.model_validate_json(json.dumps(options or {})),
    )
    return str(deploy(lambda: cls("registry", args).repositories["api"].push))


class TestEcr:
    def test_tags_stay_and_images_are_scanned(self) -> None:
        repository = made("ecr")[0].one("ecr/repository:Repository").inputs
        assert repository["name"] == "shop/api"
        assert repository["imageTagMutability"] == "IMMUTABLE"
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}

    @pytest.mark.parametrize("protect", [True, False])
    def test_images_go_with_the_stack_only_where_nothing_is_guarded(self, protect: bool) -> None:
        repository = made("ecr", protect=protect)[0].one("ecr/repository:Repository").inputs
        assert repository["forceDelete"] is not protect

    def test_retention_never_counts_the_deployed_with_the_rest(self) -> None:
        policy = made("ecr", {"keep": 5})[0].one("ecr/lifecyclePolicy:LifecyclePolicy").inputs["policy"]
        deployed, rest = json.loads(policy)["rules"]
        assert deployed["selection"] == {
            "tagStatus": "tagged",
            "tagPrefixList": ["deployed-"],
            "countType": "imageCountMoreThan",
            "countNumber": 5,
        }
        assert deployed["rulePriority"] < rest["rulePriority"]
        assert rest["selection"]["tagStatus"] == "any"

    def test_what_is_pushed_bears_the_tag_that_retention_counts(self) -> None:
        url = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/api"
        assert f"docker push {url}:deployed-" in push("ecr")

    def test_pulling_is_for_its_own_repository(self) -> None:
        pull = made("ecr")[1].pull
        assert isinstance(pull, AwsRole)
        assert len(pull.arns) == 1
        assert not [action for action in pull.actions if "*" in action or "Put" in action]

    def test_an_existing_repository_is_only_used(self) -> None:
        graph, repository = made("ecr", {"repositories": {"api": "acme/old"}})
        assert [each.type for each in graph] == ["switchyard:registry:Ecr"]
        assert isinstance(repository.pull, AwsRole)
        assert "amazonaws.com/acme/old:deployed-" in push("ecr", {"repositories": {"api": "acme/old"}})


class TestEcrPublic:
    def test_it_is_in_the_only_region_that_has_it(self) -> None:
        repository = made("ecr-public")[0].one("ecrpublic/repository:Repository").inputs
        assert (repository["region"], repository["repositoryName"]) == ("us-east-1", "shop/api")

    def test_anyone_may_pull(self) -> None:
        assert made("ecr-public")[1].pull == Anonymous()

    def test_the_login_for_a_push_is_in_that_region(self) -> None:
        assert "aws ecr-public get-login-password --region us-east-1" in push("ecr-public")


class TestOci:
    HOST = {"host": "localhost:5000"}
    LOGIN = {"host": "harbor.example.com", "username": "robot", "password": "hunter2"}

    def test_nothing_is_made(self) -> None:
        assert [each.type for each in made("oci", self.HOST)[0]] == ["switchyard:registry:Oci"]

    def test_without_a_login_anyone_may_pull(self) -> None:
        assert made("oci", self.HOST)[1].pull == Anonymous()
        assert "docker login" not in push("oci", self.HOST)

    def test_a_namespace_of_ones_own(self) -> None:
        assert "localhost:5000/acme/web/api:" in push("oci", {**self.HOST, "namespace": "acme/web"})

    def test_a_login_never_shows_its_password(self) -> None:
        pull = made("oci", self.LOGIN)[1].pull
        assert isinstance(pull, Login)
        assert (pull.server, pull.username) == ("harbor.example.com", "robot")
        assert "hunter2" not in repr(pull)
        assert "hunter2" not in push("oci", self.LOGIN)
        assert push("oci", self.LOGIN).startswith("docker login --username robot harbor.example.com\n")

    def test_the_password_is_a_pulumi_secret(self) -> None:
        start(Cloud())
        args = RegistryArgs(
            services=("api",),
            namespace="shop",
            protect=False,
            options=registry.load("oci").Options.model_validate_json(json.dumps(self.LOGIN)),
        )

        async def secret(pull: Any) -> bool:
            return bool(await pull.password.is_secret())

        assert deploy(lambda: secret(registry.load("oci")("registry", args).repositories["api"].pull))
