"""The rehearsal's registries, and who may pull from them."""

from typing import Any

import pytest

from rehearsal.aws import registries, types
from rehearsal.state import CloudResource
from tests.engine.account import IMAGE, Town, no

pytestmark = pytest.mark.engine


def test_an_image_needs_a_digest_a_repository_and_permission(town: Town) -> None:
    town.rule({town.targets.id: 1})
    with no("ImageWithoutDigest"):
        town.service(task=town.task("docker.io/acme/api:latest").get("arn"))
    url = town.make(types.ECR_REPOSITORY, name="acme/api").get("repositoryUrl")
    digest = IMAGE.partition("@")[2]
    ours = town.task(f"{url}@{digest}").get("arn")
    with no("CannotPullContainerError", "is not a repository"):
        town.service(task=town.task(f"{url}-other@{digest}").get("arn"))
    with no("CannotPullContainerError", "failed to resolve ref .*: not found"):
        town.service(task=ours)
    town.state.pushed[url].add(digest)
    with no("CannotPullContainerError", "may not pull"):
        town.service(task=ours)
    town.make(types.ROLE_POLICY, role=town.role.id, policy='{"Action": ["ecr:BatchGetImage"]}')
    town.service(task=ours)


def test_a_new_repository_is_empty_but_for_what_is_said_to_be_in_each(town: Town) -> None:
    kinds: tuple[tuple[str, dict[str, str]], ...] = (
        (types.ECR_REPOSITORY, {"name": "acme/api"}),
        (types.ECR_PUBLIC_REPOSITORY, {"repositoryName": "acme/api", "region": "us-east-1"}),
    )
    for type_, named in kinds:
        for images in (set(), {"sha256:1"}):
            town.state.images = images
            repository = town.make(type_, **named)
            url = registries.repository_url(repository)
            assert url
            assert town.state.pushed[url] == images
            for digest in ("sha256:1", "sha256:2"):
                if digest in images:
                    registries.in_repository(town.state, f"{url}@{digest}")
                else:
                    with no("CannotPullContainerError"):
                        registries.in_repository(town.state, f"{url}@{digest}")
            town.state.pushed[url].clear()
            town.delete(repository)


@pytest.mark.parametrize("force", [False, True])
def test_a_repository_with_images_stays_unless_forced(town: Town, force: bool) -> None:
    repository = town.make(types.ECR_REPOSITORY, name="acme/api", forceDelete=force)
    town.delete(town.make(types.ECR_REPOSITORY, "empty", name="acme/empty"))
    town.state.pushed[repository.get("repositoryUrl")].add("sha256:1")
    if force:
        town.delete(repository)
    else:
        with no("RepositoryNotEmptyException"):
            town.delete(repository)


def test_public_repositories_are_in_one_region(town: Town) -> None:
    with no("UnsupportedCommandException"):
        town.make(types.ECR_PUBLIC_REPOSITORY, repositoryName="acme/api")
    town.make(types.ECR_PUBLIC_REPOSITORY, repositoryName="acme/api", region="us-east-1")


def test_a_cache_fetches_what_is_pulled(town: Town) -> None:
    town.make(types.ECR_CACHE_RULE, ecrRepositoryPrefix="shop/aws", upstreamRegistryUrl="public.ecr.aws")
    url = town.make(types.ECR_REPOSITORY, name="shop/aws/acme/api").get("repositoryUrl")
    registries.in_repository(town.state, f"{url}@sha256:1")
    assert town.state.pushed[url] == {"sha256:1"}


def test_a_cache_needs_a_login_that_ecr_can_find_and_read(town: Town) -> None:
    def rule(**inputs: Any) -> CloudResource:
        usual = {"ecrRepositoryPrefix": "shop/ghcr", "upstreamRegistryUrl": "ghcr.io"}
        return town.make(types.ECR_CACHE_RULE, **(usual | inputs))

    def secret(name: str) -> str:
        return str(town.make(types.SECRET, name, namePrefix=f"{name}-").get("arn"))

    with no("InvalidParameterException"):
        rule()
    with no("InvalidParameterException"):
        rule(ecrRepositoryPrefix="s" * 31, upstreamRegistryUrl="public.ecr.aws")
    with no("ResourceNotFoundException"):
        rule(credentialArn="arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/none")
    with no("ValidationException"):
        rule(credentialArn=secret("ghcr"))
    login = secret("ecr-pullthroughcache/ghcr")
    with no("UnableToAccessSecretException"):
        rule(credentialArn=login)
    town.make(types.SECRET_VERSION, secretId=login, secretString="{}")
    rule(credentialArn=login)
    with no("PullThroughCacheRuleAlreadyExistsException"):
        town.make(types.ECR_CACHE_RULE, "again", ecrRepositoryPrefix="shop/ghcr", upstreamRegistryUrl="public.ecr.aws")


def test_who_pulls_from_a_cache_must_be_allowed_to_fill_it(town: Town) -> None:
    town.make(types.ECR_CACHE_RULE, ecrRepositoryPrefix="shop/quay", upstreamRegistryUrl="quay.io")
    url = town.make(types.ECR_REPOSITORY, name="shop/quay/acme/api").get("repositoryUrl")
    task = town.task(f"{url}@sha256:{'c' * 64}").get("arn")
    town.rule({town.targets.id: 1})
    town.make(types.ROLE_POLICY, role=town.role.id, policy="ecr:BatchGetImage")
    with no("CannotPullContainerError"):
        town.service(task=task)
    town.make(types.ROLE_POLICY, "fill", role=town.role.id, policy="ecr:BatchImportUpstreamImage")
    town.service(task=task)
