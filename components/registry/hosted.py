"""What registries run by somebody else have in common: the user's own login, or a cache on AWS that holds it."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, cast

import pulumi
from pydantic import Field, SecretStr

from components.model import Model
from components.registry import Anonymous, Cached, Login, Pull, Registry, RegistryArgs, Repository
from components.registry.oci import RepositoryPath
from components.service import Service

TAG = "deployed-$(git rev-parse --short HEAD)"
"""The tag of an image that is pushed in order to be deployed, as a shell makes it."""


class HostedOptions(Model):
    """The part of the block that all of them have."""

    repositories: dict[str, RepositoryPath] = Field(
        default={}, description="Service -> name of its repository; by default one with the stack's name in it."
    )
    public: bool = Field(default=False, description="Anyone may pull the images; then there is no login.")
    username: str | None = Field(default=None, min_length=1, description="Who pulls. Required unless `public`.")
    password: SecretStr | None = Field(
        default=None,
        description="Their token, which need only read; set it with `pulumi config set --secret --path`."
        " Required unless `public`.",
    )
    login: Literal["cache", "direct"] | None = Field(
        default=None,
        description="Who uses the login. cache: an ECR pull-through cache, and the runtimes pull from that by their"
        " IAM role. direct: the runtimes themselves. By default cache on AWS, direct elsewhere.",
    )


class Hosted(Registry):
    """A repository appears with its first push."""

    key: ClassVar[str]
    """Its name in config and in REGISTRIES."""
    host: ClassVar[str]
    """What an image's address begins with."""
    server: ClassVar[str]
    """What a login is for."""
    upstream: ClassVar[str]
    """What ECR's cache rules call it."""

    @classmethod
    @abstractmethod
    def path(cls, options: Model, namespace: str, service: str) -> str:
        """A service's repository below `host`."""

    @classmethod
    @abstractmethod
    def before_push(cls, options: Model) -> list[str]:
        """The first lines of the push commands: the login, and what to know of who can see a new repository."""

    @classmethod
    def check(cls, options: Model, services: Mapping[str, Service], protect: bool) -> Iterator[tuple[str, object, str]]:
        """A login where there is none, or none where there must be one."""
        said = cast(HostedOptions, options)
        for name, repository in said.repositories.items():
            if name not in services:
                yield f"repositories.{name}", repository, f"the name of a service: {', '.join(services)}"
        for field in ("username", "password"):
            if not said.public and getattr(said, field) is None:
                yield field, None, "the login of who pulls; or `public: true` where anyone may"
        for field in ("username", "password", "login"):
            if said.public and getattr(said, field) is not None:
                yield field, getattr(said, field), "no login beside `public: true`: remove one of the two"

    @classmethod
    def pulled_by(cls, options: Model, on_aws: bool) -> type[Pull]:
        """By anyone, by the cache on AWS, or with the login."""
        said = cast(HostedOptions, options)
        if said.public:
            return Anonymous
        return Cached if (said.login or ("cache" if on_aws else "direct")) == "cache" else Login

    def build(self, args: RegistryArgs, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        """One address a service; with a cache, a cached repository for each as well."""
        options = cast(HostedOptions, args.options)
        paths = {service: self.path(options, args.namespace, service) for service in args.services}
        kind = self.pulled_by(options, args.on_aws)
        if kind is Cached:
            return self._cached(paths, args, child)
        return {service: self._repository(service, path, _direct(self.server, options, kind)) for service, path in paths.items()}

    def _repository(self, service: str, path: str, pull: Pull) -> Repository:
        url = f"{self.host}/{path}"
        push = "\n".join([*self.before_push(self._options), *_push(service, url)])
        return Repository(pulumi.Output.from_input(url), pull, pulumi.Output.from_input(push))
