"""Amazon ECR, private: the main road to everything on AWS. Pulled with the runtime's own IAM role."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pulumi
from pydantic import Field

from components.aws.access import AwsAccess
from components.cost import Demand, Item, Line
from components.lookup import Lookup
from components.model import Contradiction
from components.needs import Existing, FixedNames, Need, Question
from components.pull import AwsRole, Pull
from components.registry import DEPLOYED, Registry, RegistryArgs, RegistryOptions, Repository, push_commands
from components.sdk import aws
from components.service import Service, of_no_service
from components.shell import command
from components.workflow import ECR, PUSH_ROLE, Access, Push, Step, aws_role, deploy_role

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LAYERS = ("BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage")
"""What pushes an image, of a repository in ECR as in ECR Public."""
PUSH = frozenset((*PULL, *(f"ecr:{each}" for each in LAYERS), "ecr:GetAuthorizationToken"))
"""With what looks for layers that are there already (ECR user guide, "IAM permissions for pushing an image")."""
MAKING = AwsAccess(types=frozenset({"aws:ecr/repository:Repository", "aws:ecr/lifecyclePolicy:LifecyclePolicy"}))
"""What makes repositories, whoever fills them."""


def repository_arn(name: str) -> str:
    """Of a repository in the stack's region, or of all whose names a pattern fits; as `Place.arn` takes it."""
    return f"ecr:{{region}}:{{account}}:repository/{name}"


class EcrOptions(RegistryOptions):
    """`ecr`."""

    key = "ecr"
    vpc_endpoints = frozenset({"ecr.api", "ecr.dkr"})

    keep: int = Field(
        default=30,
        ge=2,
        le=1000,
        description="How many of the newest deployed images are kept: at least the running one and the one before it.",
    )
    repositories: dict[str, str] = Field(
        default={},
        description="A map of service to the name of a repository that exists; Switchyard then only uses it.",
    )

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        yield from of_no_service("repositories", self.repositories, services)

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        if self.repositories:
            names = sorted(set(self.repositories.values()))
            question = Question("ecr", "describe_repositories", {"repositoryNames": names})
            yield Existing("repositories", ", ".join(names), question, "fix ecr.repositories")
        made = [f"{stack}/{each}" for each in services if each not in self.repositories]
        if made:
            yield repository_names("ecr", "aws:ecr/repository:Repository", made)

    def lookups(self) -> Iterator[Lookup]:
        for service, name in sorted(self.repositories.items()):
            want = "the name of a repository in ECR, in the stack's region"
            yield Lookup(f"repositories.{service}", name, want, "ecr", "get_repository", {"name": name})

    def path(self, namespace: str, service: str) -> str:
        """Of its own, unless the configuration names one."""
        return self.repositories.get(service, super().path(namespace, service))

    def workflow_access(self, region: str) -> Access:
        return deploy_role(region)

    def workflow_push(self, region: str) -> Push:
        """By a role that may push to these repositories and no more."""
        return Push(push_access(region), HOST)

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return AwsRole

    def takes(self, stack: str, on_aws: bool) -> AwsAccess:
        looks_up = dict.fromkeys(("ecr:DescribeRepositories", "ecr:ListTagsForResource"), repository_arn("*"))
        made = AwsAccess(arns=(repository_arn(f"{stack}/*"), *self._existing))
        return MAKING | made | AwsAccess(looks_up=looks_up if self._existing else {})

    def pushing(self, stack: str, services: Iterable[str]) -> AwsAccess:
        made = [repository_arn(f"{stack}/{each}") for each in services if each not in self.repositories]
        return AwsAccess(calls=PUSH, arns=(*made, *self._existing))

    @property
    def _existing(self) -> tuple[str, ...]:
        return tuple(sorted({repository_arn(each) for each in self.repositories.values()}))

    def costs(self, demand: Demand) -> Iterator[Item]:
        yield from lines(demand, self.keep)


HOST = "${{ steps.registry.outputs.registry }}"
"""The registry of the account that the job is logged in to."""


def push_access(region: str, **inputs: str) -> Access:
    """The role that pushes, and Docker's login with it, at either of ECR's services."""
    login = Step("Log in to the registry", ECR, inputs, id="registry")
    return aws_role(PUSH_ROLE, region) + Access((login,))


def repository_names(service: str, type_: str, names: Iterable[str], region: str | None = None) -> FixedNames:
    """What is made of them must not be there yet; `service` as boto3 and the AWS CLI call it."""
    questions = {
        each: Question(service, "describe_repositories", {"repositoryNames": [each]}, region) for each in names
    }
    delete = ("aws", service, "delete-repository", "--force", "--repository-name")
    return FixedNames("name-repositories", type_, questions, delete)


class Ecr(Registry[EcrOptions]):
    """A private repository a service: immutable tags, scan on push, retention."""

    token = "switchyard:registry:Ecr"

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        options, args = self.options, self.args
        repositories = {
            service: self._existing(options.repositories[service])
            if service in options.repositories
            # A person types the name.
            else make(service, options.path(args.namespace, service), retention(options.keep), args, child)
            for service in args.services
        }
        own = [each.arn for service, each in repositories.items() if service not in options.repositories]
        others = [each.arn for service, each in repositories.items() if service in options.repositories]
        stack_arns = (*(below(args.namespace, arn) for arn in own[:1]), *others)
        return {
            service: _repository(service, each.repository_url, AwsRole(PULL, (each.arn,), stack_arns))
            for service, each in repositories.items()
        }

    def _existing(self, name: str) -> pulumi.Output[aws.ecr.GetRepositoryResult]:
        return aws.ecr.get_repository_output(name=name, opts=pulumi.InvokeOutputOptions(parent=self))


def below(prefix: str, arn: pulumi.Output[str]) -> pulumi.Output[str]:
    """The ARNs of all repositories whose names begin with `prefix/`, as a pattern; `arn` is that of one of them."""
    return arn.apply(lambda known: f"{known.partition('/')[0]}/{prefix}/*")


def make(
    service: str, name: str, policy: str, args: RegistryArgs[Any], opts: pulumi.ResourceOptions
) -> aws.ecr.Repository:
    """A private repository: immutable tags, scan on push, encrypted, with a lifecycle policy."""
    key = args.kms_key
    # ECR changes the encryption of no repository: it would be replaced, and its images gone.
    kept = pulumi.ResourceOptions(ignore_changes=["encryptionConfigurations"] if key else None)
    repository = aws.ecr.Repository(
        service,
        name=name,
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
        encryption_configurations=[
            {"encryption_type": "KMS", "kms_key": key} if key else {"encryption_type": "AES256"}
        ],
        force_delete=not args.protect,
        opts=pulumi.ResourceOptions.merge(opts, kept),
    )
    aws.ecr.LifecyclePolicy(service, repository=repository.name, policy=policy, opts=opts)
    if key:
        repository.encryption_configurations.apply(lambda found: _tell(repository, service, found))
    return repository


def _tell(repository: aws.ecr.Repository, service: str, found: Sequence[Any] | None) -> None:
    """Say which images are not under the key that the stack names."""
    if any(each.encryption_type == "AES256" for each in found or ()):
        pulumi.log.warn(
            f"kms-key: images of {service} stay under AWS's own key, for their repository was there before, and ECR"
            " changes the encryption of none. docs/security.md has the way to a new one",
            repository,
        )


def _repository(service: str, url: pulumi.Output[str], pull: AwsRole) -> Repository:
    return Repository(url=url, pull=pull, push=url.apply(lambda known: _push(service, known)))


def _push(service: str, url: str) -> str:
    return "\n".join([login(url), *push_commands(service, url)])


def login(url: str) -> str:
    """The command that logs Docker in to the registry of a repository."""
    host, region = url.partition("/")[0], url.split(".")[3]  # <account>.dkr.ecr.<region>.amazonaws.com/<name>
    return login_command("ecr", region, host)


def login_command(service: str, region: str, host: str) -> str:
    """The same for either of ECR's services."""
    password = command("aws", service, "get-login-password", "--region", region)
    return f"{password} | {command('docker', 'login', '--username', 'AWS', '--password-stdin', host)}"


def lines(demand: Demand, keep: int) -> Iterator[Line]:
    """What private repositories cost a month that keep so many images of each service."""
    yield Line("registry", "images in ECR", demand.stored(keep), "GB-month", "ecr.storage")
    yield Line("transfer", "pulls from ECR, same region", demand.pulled, "GB", "ecr.pull")


def retention(keep: int) -> str:
    """The lifecycle policy: the newest `keep` deployed images, and of the rest whatever is younger than two weeks.

    ECR cannot be told a digest to keep. But an image that a rule selects is out of reach of all later rules, so the
    second never expires a deployed image, and the first only those with `keep` newer deployed ones before them.
    """
    return json.dumps(
        {
            "rules": [
                _rule(
                    1,
                    {
                        "tagStatus": "tagged",
                        "tagPrefixList": [DEPLOYED],
                        "countType": "imageCountMoreThan",
                        "countNumber": keep,
                    },
                ),
                _rule(
                    2,
                    {
                        "tagStatus": "any",
                        "countType": "sinceImagePushed",
                        "countUnit": "days",
                        "countNumber": 14,
                    },
                ),
            ]
        }
    )


def _rule(priority: int, selection: dict[str, object]) -> dict[str, object]:
    return {"rulePriority": priority, "selection": selection, "action": {"type": "expire"}}
