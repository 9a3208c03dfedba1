"""Registries: repositories, caches of other registries, and who may pull which image."""

from collections.abc import Iterator, Mapping

from rehearsal.aws import types
from rehearsal.aws.account import allows
from rehearsal.aws.data_source import Question, data_source
from rehearsal.aws.keys import under
from rehearsal.aws.making import Facts, computed
from rehearsal.aws.resource_type import Name, Ref, ResourceType, Unique, refuses
from rehearsal.state import CloudResource, CloudState, Refused
from rehearsal.wire import Properties

REPOSITORY_URL: Mapping[str, str] = {
    types.ECR_REPOSITORY: "repositoryUrl",
    types.ECR_PUBLIC_REPOSITORY: "repositoryUri",
}
"""What holds images, and where it says its `<registry>/<name>`."""


# --- repositories


def repository_url(repository: CloudResource) -> str:
    """A repository's `<registry>/<name>`."""
    return str(repository.get(REPOSITORY_URL[repository.type]))


def _fill(state: CloudState, repository: CloudResource) -> None:
    state.pushed[repository_url(repository)] |= state.images


@refuses("RepositoryNotEmptyException", "ECR API")
def _has_images(state: CloudState, repository: CloudResource) -> Iterator[str]:
    """ECR keeps a repository with images unless forced."""
    forced = repository.get("forceDelete") or repository.get("forceDestroy")
    if state.pushed[repository_url(repository)] and not forced:
        yield f"the repository {repository.id} still contains images"


def _empty(state: CloudState, repository: CloudResource) -> None:
    state.pushed.pop(repository_url(repository), None)


_ecr = computed(
    id="{name}",
    arn="arn:aws:ecr:{region}:{account}:repository/{name}",
    registryId="{account}",
    repositoryUrl="{account}.dkr.ecr.{region}.amazonaws.com/{name}",
)
ECR_REPOSITORY = ResourceType(
    types.ECR_REPOSITORY,
    _ecr,
    replace="name encryptionConfigurations",
    name=Name(longest=256, lower=True),
    unique=Unique("name", taken="RepositoryAlreadyExistsException"),
    missing="RepositoryNotFoundException",
    creating=(under("encryptionConfigurations.kmsKey"),),
    deleting=(_has_images,),
    made=_fill,
    gone=_empty,
)
ECR_LIFECYCLE = ResourceType(
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    computed(id="{repository}"),
    replace="repository policy",
    refs=(Ref("repository", types.ECR_REPOSITORY, holds=False),),
)


@data_source("aws:ecr/getRepository:getRepository")
def get_repository(ask: Question) -> Properties:
    """A repository that the stack did not make is taken to be there: its name stands in the stack's config."""
    name = str(ask.args["name"])
    found = _ecr(Facts(ask.state, name, ask.region, {"name": name})) | {"name": name}
    ask.state.existing.add(found["repositoryUrl"])
    return found


@refuses("UnsupportedCommandException", "pulumi-aws, ecrpublic.Repository")
def _other_region(_: CloudState, repository: CloudResource) -> Iterator[str]:
    """ECR Public exists in one region."""
    if repository.get("region") != "us-east-1":
        yield f"{repository.name}: public repositories can only be made in us-east-1"


ECR_PUBLIC_REPOSITORY = ResourceType(
    types.ECR_PUBLIC_REPOSITORY,
    computed(
        id="{repositoryName}",
        arn="arn:aws:ecr-public::{account}:repository/{repositoryName}",
        registryId="{account}",
        repositoryUri="public.ecr.aws/z1y2x3w4/{repositoryName}",
    ),
    (2, 1, 1),
    "repositoryName",
    unique=Unique("repositoryName", taken="RepositoryAlreadyExistsException"),
    creating=(_other_region,),
    deleting=(_has_images,),
    made=_fill,
    gone=_empty,
)


# --- caches

CACHE_SECRET = "ecr-pullthroughcache/"
NEED_LOGIN = ("ghcr.io", "registry-1.docker.io", "registry.gitlab.com", "cgr.dev")
"""Registries that ECR caches only with a login."""


@refuses("InvalidParameterException", "ECR API, CreatePullThroughCacheRule")
def _wrong_prefix(_: CloudState, rule: CloudResource) -> Iterator[str]:
    if not 2 <= len(rule.get("ecrRepositoryPrefix", "")) <= 30:
        yield f"{rule.name}: the prefix {rule.get('ecrRepositoryPrefix')} must have 2 to 30 characters"


@refuses("InvalidParameterException", 'ECR user guide, "Sync an upstream registry": requires authentication')
def _no_login(_: CloudState, rule: CloudResource) -> Iterator[str]:
    upstream = rule.get("upstreamRegistryUrl")
    if upstream in NEED_LOGIN and not rule.get("credentialArn"):
        yield f"{rule.name}: {upstream} needs a login in Secrets Manager"


@refuses("ValidationException", "ECR API, CreatePullThroughCacheRule, pattern of credentialArn")
def _misnamed_secret(_: CloudState, rule: CloudResource) -> Iterator[str]:
    arn = rule.get("credentialArn")
    if arn and f":secret:{CACHE_SECRET}" not in arn:
        yield f"{rule.name}: the name of the secret {arn} must begin with {CACHE_SECRET}"


@refuses("UnableToAccessSecretException", "ECR API, CreatePullThroughCacheRule")
def _empty_secret(state: CloudState, rule: CloudResource) -> Iterator[str]:
    secret = state.find(types.SECRET, rule.get("credentialArn") or "")
    if secret and not state.where(types.SECRET_VERSION, "secretId", *secret.handles):
        yield f"{rule.name}: nothing is in the secret {secret.name} yet"


ECR_CACHE_RULE = ResourceType(
    types.ECR_CACHE_RULE,
    computed(id="{ecrRepositoryPrefix}"),
    replace="ecrRepositoryPrefix upstreamRegistryUrl upstreamRepositoryPrefix",
    refs=(Ref("credentialArn", types.SECRET, holds=False),),
    unique=Unique("ecrRepositoryPrefix", taken="PullThroughCacheRuleAlreadyExistsException"),
    creating=(_wrong_prefix, _no_login, _misnamed_secret, _empty_secret),
)


# --- pulling


def pullable(state: CloudState, runner: CloudResource, image: str) -> None:
    """Raise `Refused` unless an image that `runner` runs has a digest and is in its repository."""
    if "@sha256:" not in image:
        raise Refused(
            "ImageWithoutDigest",
            f"{runner.name} runs {image}, which has no digest",
            "Security Hub ECR.2: what runs must not change without a deploy",
        )
    in_repository(state, image)


def in_repository(state: CloudState, image: str) -> None:
    """A repository of this cloud has what was pushed to it, or what it fetches itself; all others are believed."""
    url, _, digest = image.partition("@")
    made = [each for type_, path in REPOSITORY_URL.items() for each in state.where(type_, path, url)]
    if not made and from_ecr(url) and url not in state.existing:
        raise Refused("CannotPullContainerError", f"{url} is not a repository", "amazon-ecs-agent #1128")
    if _cached(state, image):
        state.pushed[url].add(digest)
    if made and digest not in state.pushed[url]:
        raise Refused(
            "CannotPullContainerError",
            f"failed to resolve ref {image}: not found",
            'ECS developer guide, "CannotPullContainer task errors"',
        )


def from_ecr(image: str) -> bool:
    """Whether an image is in a private repository of AWS."""
    return ".dkr.ecr." in image


def may_pull(state: CloudState, role: str, image: str) -> bool:
    """Whether a role may pull an image; from ECR's cache only if it may also have that filled."""
    if not from_ecr(image):
        return True
    found = state.find(types.ROLE, role)
    if found is None:
        return role in state.existing
    if _cached(state, image) and not allows(state, found, "ecr:BatchImportUpstreamImage", "ContainerRegistryPullOnly"):
        return False
    return allows(state, found, "ecr:BatchGetImage", "ContainerRegistry", "TaskExecution")


def _cached(state: CloudState, image: str) -> bool:
    path = image.partition("/")[2]
    return any(path.startswith(f"{rule.get('ecrRepositoryPrefix')}/") for rule in state.every(types.ECR_CACHE_RULE))
