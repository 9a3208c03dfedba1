"""What each registry does that the others do not."""

import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pulumi
import pytest

from components import registry
from components.pull import Anonymous, AwsRole, Cached, Login, NodeIdentity
from components.registry import RegistryArgs, Repository
from components.testing.cloud import Cloud
from components.testing.engine import HIDDEN, Graph, deploy, start
from config.problems import BadConfig
from tests.program import EXISTING, config_for, run_program


def made(name: str, options: Mapping[str, Any] | None = None, protect: bool = False) -> tuple[Graph, Repository]:
    """The graph of a registry, and the repository of its one service."""
    graph, repository, _ = _made(name, json.dumps(options or {}), protect)
    return graph, repository


def push(name: str, options: Mapping[str, Any] | None = None) -> str:
    """The commands that push."""
    return _made(name, json.dumps(options or {}), False)[2]


@cache
def _made(name: str, options: str, protect: bool) -> tuple[Graph, Repository, str]:
    engine = start(Cloud())
    cls = registry.load(name)
    args = RegistryArgs(
        services=("api",),
        namespace="shop",
        protect=protect,
        on_aws=True,
        options=cls.Options.model_validate_json(options),
    )
    repositories: list[Repository] = []

    def program() -> pulumi.Output[str]:
        repositories.append(cls("registry", args).repositories["api"])
        return repositories[0].push

    commands = str(deploy(program))
    return engine.graph, repositories[0], commands


def left_by(rules: list[dict[str, Any]], indices: Mapping[str, list[str]], age: int) -> list[str]:
    """What ECR leaves of indices, newest first, each by its only tag with its untagged manifests (ECR user guide,
    "Lifecycle policy evaluation"): a rule has what no earlier one selects, and what an index names goes after it."""
    left, manifests = dict(indices), [each for parts in indices.values() for each in parts]
    for selection in (rule["selection"] for rule in sorted(rules, key=lambda rule: int(rule["rulePriority"]))):
        if selection["tagStatus"] == "tagged":
            counted = [tag for tag in indices if tag.startswith(tuple(selection["tagPrefixList"]))]
            for tag in counted[selection["countNumber"] :]:
                del left[tag]
        else:
            assert selection["countType"] == "sinceImagePushed"
            named = {each for parts in left.values() for each in parts}
            old = age > selection["countNumber"]
            manifests = [each for each in manifests if each in named or not old]
    return [each for tag, parts in left.items() for each in (tag, *[part for part in parts if part in manifests])]


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

    def test_a_push_of_an_index_and_its_manifests_counts_as_one(self) -> None:
        """As a workflow pushes: two platforms, and for each what attests its image; all of it three weeks old."""
        policy = made("ecr", {"keep": 5})[0].one("ecr/lifecyclePolicy:LifecyclePolicy").inputs["policy"]
        pushes = [(f"deployed-{each}", [f"{each}-{part}" for part in range(4)]) for each in range(9)]  # newest first
        kept = [manifest for tag, parts in pushes[:5] for manifest in (tag, *parts)]
        assert left_by(json.loads(policy)["rules"], dict(pushes), age=21) == kept

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


LOGIN = {"username": "robot", "password": "hunter2"}
HOSTED = {
    "ghcr": ("ghcr.io/acme/shop/api", {"owner": "acme", **LOGIN}),
    "dockerhub": ("docker.io/acme/shop-api", {"namespace": "acme", **LOGIN}),
}


@pytest.mark.parametrize("name", HOSTED)
class TestHosted:
    """GitHub's and Docker's, by way of a cache on AWS."""

    def test_ecr_has_the_login_under_the_name_and_the_keys_that_it_wants(self, name: str) -> None:
        graph = made(name, HOSTED[name][1])[0]
        secret = graph.one("secretsmanager/secret:Secret")
        version = graph.one("secretsmanager/secretVersion:SecretVersion")
        assert secret.inputs["namePrefix"] == f"ecr-pullthroughcache/shop-{name}-"
        assert json.loads(version.inputs["secretString"]) == {"username": "robot", "accessToken": "hunter2"}
        assert version.clear["secretString"] == HIDDEN

    @pytest.mark.parametrize(("protect", "days"), [(True, 7), (False, 0)])
    def test_a_login_can_be_recovered_where_things_are_guarded(self, name: str, protect: bool, days: int) -> None:
        secret = made(name, HOSTED[name][1], protect)[0].one("secretsmanager/secret:Secret")
        assert secret.inputs["recoveryWindowInDays"] == days

    def test_the_rule_waits_for_the_login_and_the_repositories_for_the_rule(self, name: str) -> None:
        graph, repository = made(name, HOSTED[name][1])
        rule = graph.one("ecr/pullThroughCacheRule:PullThroughCacheRule")
        upstream = {"ghcr": "ghcr.io", "dockerhub": "registry-1.docker.io"}[name]
        assert (rule.inputs["ecrRepositoryPrefix"], rule.inputs["upstreamRegistryUrl"]) == (f"shop/{name}", upstream)
        assert graph.one("secretsmanager/secretVersion:SecretVersion").urn in graph.waits_for(rule)
        assert rule.urn in graph.waits_for(graph.one("ecr/repository:Repository"))
        assert isinstance(repository.pull, Cached)

    @pytest.mark.parametrize("protect", [True, False])
    def test_the_cached_repositories_are_ours_and_go_with_the_stack(self, name: str, protect: bool) -> None:
        url, block = HOSTED[name]
        repository = made(name, block, protect)[0].one("ecr/repository:Repository").inputs
        assert repository["name"] == f"shop/{name}/{url.partition('/')[2]}"
        assert repository["imageTagMutability"] == "IMMUTABLE"
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
        assert repository["forceDelete"] is not protect

    def test_what_is_cached_expires_by_number_alone(self, name: str) -> None:
        """An image that ECR fetched by its digest has no tag, and may run for long."""
        policy = made(name, HOSTED[name][1])[0].one("ecr/lifecyclePolicy:LifecyclePolicy").inputs["policy"]
        (rule,) = json.loads(policy)["rules"]
        assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30}

    def test_a_push_fills_the_cache_by_the_tag(self, name: str) -> None:
        url, block = HOSTED[name]
        commands = push(name, block).splitlines()
        cached = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/{name}/{url.partition('/')[2]}"
        pushed = commands.index(f"docker push {url}:deployed-$(git rev-parse --short HEAD)")
        filled = commands.index(f"docker pull {cached}:deployed-$(git rev-parse --short HEAD)")
        assert pushed < filled
        assert commands[filled - 1].endswith("--password-stdin 123456789012.dkr.ecr.us-east-1.amazonaws.com")

    def test_who_will_see_the_image_is_said_before_the_push(self, name: str) -> None:
        _, block = HOSTED[name]
        public = {key: value for key, value in block.items() if key not in LOGIN} | {"public": True}
        assert push(name, block).startswith("# The first push makes the ")
        assert push(name, block).splitlines()[0] != push(name, public).splitlines()[0]

    @pytest.mark.parametrize("block", [{"login": "direct"}, {"public": True, "username": None, "password": None}])
    def test_without_a_cache_nothing_is_made(self, name: str, block: dict[str, Any]) -> None:
        block = {key: value for key, value in {**HOSTED[name][1], **block}.items() if value is not None}
        graph, repository = made(name, block)
        assert len(graph) == 1
        assert isinstance(repository.pull, Anonymous if block.get("public") else Login)
        assert repository.cache is None

    def test_off_aws_the_login_is_the_runtimes(self, name: str) -> None:
        options = registry.load(name).Options.model_validate(HOSTED[name][1])
        assert options.pulled_by(on_aws=False) is Login

    def test_a_repository_may_have_another_name(self, name: str) -> None:
        host, account = HOSTED[name][0].split("/")[:2]
        block = {**HOSTED[name][1], "repositories": {"api": "old-api"}}
        assert f"docker push {host}/{account}/old-api:deployed-" in push(name, block)


class TestDockerHub:
    def test_a_login_is_for_the_address_that_docker_uses(self) -> None:
        pull = made("dockerhub", {**HOSTED["dockerhub"][1], "login": "direct"})[1].pull
        assert isinstance(pull, Login)
        assert pull.server == "https://index.docker.io/v1/"

    @pytest.mark.parametrize(
        ("block", "said"),
        [
            ({"public": True}, ["100 images in 6 hours without a login", "one NAT"]),
            ({**LOGIN, "login": "direct"}, ["200 images in 6 hours", "`login: cache`"]),
            (LOGIN, []),
        ],
    )
    def test_its_limits_are_said_where_they_bite(self, block: dict[str, Any], said: list[str]) -> None:
        config = {**config_for("dockerhub", "ecs-fargate"), **EXISTING, "dockerhub": {"namespace": "acme", **block}}
        exports = run_program(config).exports()
        limits = [note for note in exports.get("next", []) if "Docker Hub" in note]
        assert len(limits) == bool(said)
        assert all(words in limits[0] for words in said)

    def test_off_aws_nobody_shares_an_address(self) -> None:
        exports = run_program(config_for("dockerhub", "swarm") | {"dockerhub": {"namespace": "acme", "public": True}})
        assert "next" not in exports.exports()


class TestArtifactRegistry:
    BLOCK = {"project": "acme", "location": "asia-northeast1", "repository": "images"}
    KEY = {**BLOCK, "service-account-key": '{"type": "service_account"}'}

    def test_an_existing_repository_is_only_used(self) -> None:
        graph, _ = made("artifact-registry", self.BLOCK)
        assert [each.type for each in graph] == ["switchyard:registry:ArtifactRegistry"]
        url = "asia-northeast1-docker.pkg.dev/acme/images/api"
        assert push("artifact-registry", self.BLOCK) == (
            "gcloud auth configure-docker asia-northeast1-docker.pkg.dev\n"
            f"docker tag api {url}:deployed-$(git rev-parse --short HEAD)\n"
            f"docker push {url}:deployed-$(git rev-parse --short HEAD)"
        )

    def test_with_a_key_its_name_is_the_one_that_google_gives_keys(self) -> None:
        pull = made("artifact-registry", self.KEY)[1].pull
        assert isinstance(pull, Login)
        assert (pull.server, pull.username) == ("asia-northeast1-docker.pkg.dev", "_json_key")
        assert "service_account" not in repr(pull)

    def test_without_one_the_nodes_pull_as_who_they_are(self) -> None:
        assert made("artifact-registry", self.BLOCK)[1].pull == NodeIdentity()

    @pytest.mark.parametrize("protect", [True, False])
    def test_a_repository_of_our_own_keeps_the_newest(self, monkeypatch: pytest.MonkeyPatch, protect: bool) -> None:
        google_is_installed(monkeypatch)
        block = {"project": "acme", "location": "us", "keep": 12}
        repository = made("artifact-registry", block, protect)[0].one("artifactregistry/repository:Repository")
        assert repository.protect is protect
        keep, expire = repository.inputs["cleanup_policies"]
        assert (keep["action"], keep["most_recent_versions"]) == ("KEEP", {"keep_count": 12})
        assert (expire["action"], expire["condition"]) == ("DELETE", {"older_than": "1209600s"})
        assert "us-docker.pkg.dev/acme/shop/api:deployed-" in push("artifact-registry", block)


def google_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one resource of pulumi-gcp, without that package's 135 MB."""

    class Made(pulumi.CustomResource):
        repository_id: pulumi.Output[str]

        def __init__(self, name: str, opts: pulumi.ResourceOptions, **props: Any) -> None:
            super().__init__("gcp:artifactregistry/repository:Repository", name, props, opts)

    google = ModuleType("pulumi_gcp")
    google.artifactregistry = SimpleNamespace(Repository=Made)  # type: ignore[attr-defined]
    google.__spec__ = ModuleSpec("pulumi_gcp", None)
    monkeypatch.setitem(sys.modules, "pulumi_gcp", google)


GOOGLE = TestArtifactRegistry.BLOCK
MISTAKES = {
    "no login": (
        {"ghcr": {"owner": "acme"}},
        [
            "switchyard:ghcr.username is not set; want the login of who pulls; or `public: true` where anyone may",
            "pulumi config set --secret --path switchyard:ghcr.password <value>",
        ],
    ),
    "half a login": (
        {"dockerhub": {"namespace": "acme", "username": "robot"}},
        ["switchyard:dockerhub.password is not set; want the login of who pulls"],
    ),
    "a login that nobody needs": (
        {"ghcr": {"owner": "acme", "public": True, **LOGIN}},
        ["ghcr.username is 'robot'; want no login beside `public: true`", "switchyard:ghcr.password is SecretStr('***"],
    ),
    "a way to log in where there is no login": (
        {"ghcr": {"owner": "acme", "public": True, "login": "cache"}},
        ["switchyard:ghcr.login is 'cache'; want no login beside `public: true`"],
    ),
    "an owner as GitHub shows it": (
        {"ghcr": {"owner": "Acme", **LOGIN}},
        ["switchyard:ghcr.owner is 'Acme'; want an account's name in lower case"],
    ),
    "a repository of no service": (
        {"ghcr": {"owner": "acme", **LOGIN, "repositories": {"web": "web"}}},
        ["switchyard:ghcr.repositories.web is 'web'; want the name of a service: api"],
    ),
    "a folder on Docker Hub": (
        {"dockerhub": {"namespace": "acme", **LOGIN, "repositories": {"api": "team/api"}}},
        ["switchyard:dockerhub.repositories.api is 'team/api'; want a name without a slash"],
    ),
    "no way out to the registry": (
        {"ghcr": {"owner": "acme", **LOGIN}, "network": "endpoints"},
        ["switchyard:network is 'endpoints'; want a way out to ghcr, which has no VPC endpoint"],
    ),
    "Google's nodes on AWS": (
        {"artifact-registry": GOOGLE},
        ["its nodes are nobody to Google Cloud, so give `artifact-registry.service-account-key`"],
    ),
    "the path of a key": (
        {"artifact-registry": {**GOOGLE, "service-account-key": "/home/me/key.json"}},
        ["switchyard:artifact-registry.service-account-key is SecretStr('**********'); want what is in the key's file"],
    ),
    "Google's package is not there": (
        {"artifact-registry": {"project": "acme", "location": "us", "service-account-key": "{}"}},
        ["artifact-registry.repository is not set; want the name of a repository that exists", "pip install '.[gcp]'"],
    ),
}


@pytest.mark.parametrize(("config", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_explained(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], said: list[str]) -> None:
    monkeypatch.setitem(sys.modules, "pulumi_gcp", None)
    name = next(iter(config))
    with pytest.raises(BadConfig) as error:
        run_program({**config_for(name, "ecs-fargate"), **config}, ())  # else nobody knew what of it is encrypted
    assert not [words for words in said if words not in str(error.value)]
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(("name", "field"), [("ghcr", "password"), ("artifact-registry", "service-account-key")])
def test_a_login_in_plain_text_is_refused(name: str, field: str) -> None:
    with pytest.raises(BadConfig, match=rf"switchyard:{name}\.{field} is in plain text; want an encrypted value"):
        run_program(config_for(name, "ecs-fargate"), ())


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
            on_aws=True,
            options=registry.load("oci").Options.model_validate_json(json.dumps(self.LOGIN)),
        )

        async def secret(pull: Any) -> bool:
            return bool(await pull.password.is_secret())

        assert deploy(lambda: secret(registry.load("oci")("registry", args).repositories["api"].pull))
