"""Amazon ECR Public: almost free, and anyone may pull the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pulumi

from components.aws.access import AwsAccess
from components.cost import Demand, Item, Line, Note
from components.needs import Need
from components.pull import Anonymous, Pull
from components.registry import COMMIT, Registry, RegistryOptions, Repository, push_commands
from components.registry.ecr import LAYERS, login_command, push_access, repository_names
from components.sdk import aws
from components.service import Service
from components.workflow import Access, Push, Setting, deploy_role

REGION = "us-east-1"
"""The only region that has public repositories, whatever the stack's own (pulumi-aws, ecrpublic.Repository)."""
ALIAS = Setting(
    "ECR_PUBLIC_ALIAS",
    "the alias of the account's public registry, the second part of public.ecr.aws/ALIAS/...",
    output=("repositories",),
)
LOGIN = login_command("ecr-public", REGION, "public.ecr.aws")

PUSH = frozenset((*(f"ecr-public:{each}" for each in (*LAYERS, "GetAuthorizationToken")), "sts:GetServiceBearerToken"))
"""ECR Public user guide, "Pushing a Docker image"."""


def _arn(name: str) -> str:
    return f"ecr-public::{{account}}:repository/{name}"


class EcrPublicOptions(RegistryOptions):
    """`ecr-public`, which is empty."""

    key = "ecr-public"
    tag = COMMIT
    aws_access = AwsAccess(types=frozenset({"aws:ecrpublic/repository:Repository"}))

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        names = [f"{stack}/{each}" for each in services]
        yield repository_names("ecr-public", "aws:ecrpublic/repository:Repository", names, REGION)

    def workflow_access(self, region: str) -> Access:
        return deploy_role(region or REGION)

    def workflow_push(self, region: str) -> Push:
        """As to ECR, in the one region that it has."""
        access = push_access(REGION, **{"registry-type": "public"})
        return Push(access + Access(settings=(ALIAS,)), f"public.ecr.aws/{ALIAS.expression}")

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return Anonymous

    def takes(self, stack: str, on_aws: bool) -> AwsAccess:
        return self.aws_access | AwsAccess(arns=(_arn(f"{stack}/*"),))

    def pushing(self, stack: str, services: Iterable[str]) -> AwsAccess:
        return AwsAccess(calls=PUSH, arns=tuple(_arn(f"{stack}/{each}") for each in services))

    def costs(self, demand: Demand) -> Iterator[Item]:
        """Nothing expires, so that the images of a year add up."""
        free = "ecr-public.storage-free"
        yield Line("registry", "images in ECR Public", demand.stored(None), "GB-month", "ecr-public.storage", free)
        if demand.on_aws:
            yield Line("transfer", "pulls from ECR Public, to AWS", demand.pulled, "GB", "ecr-public.pull-aws")
        else:
            yield Line("transfer", "pulls from ECR Public", demand.pulled, "GB", "ecr-public.transfer-anonymous")
            yield Note("without a login, machines outside AWS pull at most 500 GB a month from ECR Public")


class EcrPublic(Registry[EcrPublicOptions]):
    """A public repository a service. It has no lifecycle rules: nothing expires, so nothing running can."""

    token = "switchyard:registry:EcrPublic"

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        return {service: self._repository(service, child) for service in self.args.services}

    def _repository(self, service: str, child: pulumi.ResourceOptions) -> Repository:
        url = aws.ecrpublic.Repository(
            service,
            repository_name=self.options.path(self.args.namespace, service),  # a person types it
            region=REGION,
            force_destroy=not self.args.protect,
            opts=child,
        ).repository_uri
        return Repository(
            url=url,
            pull=Anonymous(),
            push=url.apply(lambda known: "\n".join([LOGIN, *push_commands(service, known, self.options.tag)])),
        )
