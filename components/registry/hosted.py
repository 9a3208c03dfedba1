"""What registries run by someone else have in common: the user's own login, or a cache on AWS that has it."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeVar

import pulumi
from pydantic import Field, SecretStr

from components.aws.access import AwsAccess
from components.cost import Demand, Item, Line
from components.model import Contradiction, Text
from components.needs import Need, RegistryApi
from components.pull import Anonymous, Cached, Login, Pull
from components.registry import Registry, RegistryOptions, Repository, ecr, push_commands
from components.registry.oci import RepositoryPath
from components.registry.pull_through_cache import KEEP, cache, taken
from components.service import Service, of_no_service
from components.workflow import Access, deploy_role

Account = Annotated[
    str, Text(r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$", "an account's name in lower case, such as acme", max_length=39)
]
"""A user or organisation, as part of an image's address."""


class HostedOptions(RegistryOptions):
    """The fields that the blocks of all of them have."""

    host: ClassVar[str]
    """What an image's address begins with."""
    api: ClassVar[str]
    """Where the registry's API answers."""
    server: ClassVar[str]
    """What a login is for."""
    upstream: ClassVar[str]
    """What the rules of ECR's caches call it."""

    pull_cases = {
        "": {},
        "with `login: direct`": {"login": "direct"},
        "with `public: true`": {"public": True, "username": None, "password": None},
    }

    repositories: dict[str, RepositoryPath] = Field(
        default={},
        description="A map of service to the name of its repository. Unset: a name with the stack's name in it.",
    )
    public: bool = Field(default=False, description="true: anyone may pull the images, without a login.")
    username: str | None = Field(
        default=None, min_length=1, examples=["robot"], description="The user who pulls. Required unless `public`."
    )
    password: SecretStr | None = Field(
        default=None,
        examples=["token"],
        description="That user's token, which only needs to read; set it with `pulumi config set --secret --path`."
        " Required unless `public`.",
    )
    login: Literal["cache", "direct"] | None = Field(
        default=None,
        description="Who has the login. cache: an ECR pull-through cache, which orchestrators pull from by IAM"
        " role. direct: each orchestrator. Unset: cache on AWS, direct elsewhere.",
    )

    @abstractmethod
    def path(self, namespace: str, service: str) -> str:
        """The repository of a service, below `host`."""

    @abstractmethod
    def before_push(self) -> list[str]:
        """The first of the push commands: who will see the image, and the login."""

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield RegistryApi(self.api)

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """A login that is missing or not needed, and repositories of no service."""
        yield from of_no_service("repositories", self.repositories, services)
        login = {field: getattr(self, field) for field in ("username", "password", "login")}
        for field, value in login.items():
            if self.public and value is not None:
                yield field, value, "no login beside `public: true`: remove one of the two"
            if not self.public and value is None and field != "login":
                yield field, None, "the login of who pulls; or `public: true` where anyone may"

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        """By anyone, from the cache, or with the login."""
        if self.public:
            return Anonymous
        return Cached if (self.login or ("cache" if on_aws else "direct")) == "cache" else Login

    def manifests_kept(self, on_aws: bool) -> int | None:
        """Those of the cache. It cannot count by tags, because what ECR itself fetches may have none."""
        return KEEP if self.pulled_by(on_aws) is Cached else None

    def workflow_access(self, region: str) -> Access:
        """For the cache on AWS, where there is one of a stack that runs elsewhere."""
        return deploy_role(region) if self.login == "cache" else Access()

    def takes(self, stack: str, on_aws: bool) -> AwsAccess:
        """Nothing but the cache, where there is one."""
        return taken(stack, self.key) if self.pulled_by(on_aws) is Cached else self.aws_access

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What the registry itself charges, and the cache on AWS where there is one."""
        yield from self.charged(demand)
        if self.pulled_by(demand.on_aws) is Cached:
            yield from ecr.lines(demand, KEEP)
            yield Line("registry", "login of the cache", Decimal(1), "secret-month", "secrets.secret")

    @abstractmethod
    def charged(self, demand: Demand) -> Iterator[Item]:
        """What the registry itself charges a month."""

    def transferred(self, demand: Demand) -> Decimal:
        """GB that leave it a month: to whoever pulls, or once to the cache."""
        if self.pulled_by(demand.on_aws) is Cached:
            return demand.new * demand.usage.deploys * len(demand.services)
        return demand.pulled


Of = TypeVar("Of", bound=HostedOptions)


class Hosted(Registry[Of]):
    """A repository appears there with its first push."""

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        """One address a service, and one in the cache where there is one."""
        options = self.options
        paths = {service: options.path(self.args.namespace, service) for service in self.args.services}
        pushes = {service: self._push(service, path) for service, path in paths.items()}
        urls = {service: pulumi.Output.from_input(f"{options.host}/{path}") for service, path in paths.items()}
        if options.username is None or options.password is None:
            return {service: Repository(urls[service], Anonymous(), pushes[service]) for service in paths}
        login = Login(options.server, options.username, pulumi.Output.secret(options.password.get_secret_value()))
        if options.pulled_by(self.args.on_aws) is Login:
            return {service: Repository(urls[service], login, pushes[service]) for service in paths}
        cached = cache(options.key, options.upstream, login, paths, self.args, child)
        return {
            service: Repository(
                urls[service], each.pull, pulumi.Output.concat(pushes[service], "\n", each.fill), each.url
            )
            for service, each in cached.items()
        }

    def _push(self, service: str, path: str) -> pulumi.Output[str]:
        commands = [*self.options.before_push(), *push_commands(service, f"{self.options.host}/{path}")]
        return pulumi.Output.from_input("\n".join(commands))
