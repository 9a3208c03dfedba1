"""What registries run by somebody else have in common: the user's own login, or a cache on AWS that has it."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, cast

import pulumi
from pydantic import Field, SecretStr

from components.cost import Demand, Item, Line
from components.model import Model, Text
from components.pull import Anonymous, Cached, Login, Pull
from components.registry import Registry, RegistryArgs, Repository, push_commands
from components.registry.oci import RepositoryPath
from components.service import Service, of_no_service

Account = Annotated[
    str, Text(r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$", "an account's name in lower case, such as acme", max_length=39)
]
"""A user or organisation, as part of an image's address."""


class HostedOptions(Model):
    """The fields that the blocks of all of them have."""

    repositories: dict[str, RepositoryPath] = Field(
        default={}, description="Service -> name of its repository; by default one with the stack's name in it."
    )
    public: bool = Field(default=False, description="Anyone may pull the images: there is no login.")
    username: str | None = Field(default=None, min_length=1, description="Who pulls. Required unless `public`.")
    password: SecretStr | None = Field(
        default=None,
        description="Their token, which need only read; set it with `pulumi config set --secret --path`. Required"
        " unless `public`.",
    )
    login: Literal["cache", "direct"] | None = Field(
        default=None,
        description="Who has the login. cache: an ECR pull-through cache, which the runtimes pull from by IAM role."
        " direct: each runtime. By default cache on AWS, direct elsewhere.",
    )


class Hosted(Registry):
    """A repository appears there with its first push."""

    key: ClassVar[str]
    """Its name in config and in REGISTRIES."""
    host: ClassVar[str]
    """What an image's address begins with."""
    server: ClassVar[str]
    """What a login is for."""
    upstream: ClassVar[str]
    """What the rules of ECR's caches call it."""

    @classmethod
    @abstractmethod
    def path(cls, options: Model, namespace: str, service: str) -> str:
        """The repository of a service, below `host`."""

    @classmethod
    @abstractmethod
    def before_push(cls, options: Model) -> list[str]:
        """The first of the push commands: who will see the image, and the login."""

    @classmethod
    def check(cls, options: Model, services: Mapping[str, Service], protect: bool) -> Iterator[tuple[str, object, str]]:
        """A login that is missing or not needed, and repositories of no service."""
        said = cast(HostedOptions, options)
        yield from of_no_service("repositories", said.repositories, services)
        login = {field: getattr(said, field) for field in ("username", "password", "login")}
        for field, value in login.items():
            if said.public and value is not None:
                yield field, value, "no login beside `public: true`: remove one of the two"
            if not said.public and value is None and field != "login":
                yield field, None, "the login of who pulls; or `public: true` where anyone may"

    @classmethod
    def pulled_by(cls, options: Model, on_aws: bool) -> type[Pull]:
        """By anyone, from the cache, or with the login."""
        said = cast(HostedOptions, options)
        if said.public:
            return Anonymous
        return Cached if (said.login or ("cache" if on_aws else "direct")) == "cache" else Login

    @classmethod
    def costs(cls, options: Model, demand: Demand) -> Iterator[Item]:
        """What the registry itself charges, and the cache on AWS where there is one."""
        yield from cls.charged(options, demand)
        if cls.pulled_by(options, demand.on_aws) is Cached:
            from components.registry import ecr, pull_through_cache

            yield from ecr.lines(demand, pull_through_cache.KEEP)
            yield Line("registry", "login of the cache", Decimal(1), "secret-month", "secrets.secret")

    @classmethod
    @abstractmethod
    def charged(cls, options: Model, demand: Demand) -> Iterator[Item]:
        """What the registry itself charges a month."""

    @classmethod
    def transferred(cls, options: Model, demand: Demand) -> Decimal:
        """GB that leave it a month: to whoever pulls, or once to the cache."""
        if cls.pulled_by(options, demand.on_aws) is Cached:
            return demand.new * demand.usage.deploys * len(demand.services)
        return demand.pulled

    def build(self, args: RegistryArgs, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        """One address a service, and one in the cache where there is one."""
        options = cast(HostedOptions, args.options)
        paths = {service: self.path(options, args.namespace, service) for service in args.services}
        pushes = {service: self._push(service, path, options) for service, path in paths.items()}
        urls = {service: pulumi.Output.from_input(f"{self.host}/{path}") for service, path in paths.items()}
        if options.username is None or options.password is None:
            return {service: Repository(urls[service], Anonymous(), pushes[service]) for service in paths}
        login = Login(self.server, options.username, pulumi.Output.secret(options.password.get_secret_value()))
        if self.pulled_by(options, args.on_aws) is Login:
            return {service: Repository(urls[service], login, pushes[service]) for service in paths}
        # Imported here, so that a stack off AWS does not load AWS's package.
        from components.registry.pull_through_cache import cache

        cached = cache(self.key, self.upstream, login, paths, args, child)
        return {
            service: Repository(
                urls[service], each.pull, pulumi.Output.concat(pushes[service], "\n", each.fill), each.url
            )
            for service, each in cached.items()
        }

    def _push(self, service: str, path: str, options: HostedOptions) -> pulumi.Output[str]:
        commands = [*self.before_push(options), *push_commands(service, f"{self.host}/{path}")]
        return pulumi.Output.from_input("\n".join(commands))
