"""Registries: where images are kept. To add one: a file with its options and its component, and a row in REGISTRIES."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pulumi

from components import backends
from components.aws.access import AwsAccess
from components.cost import Demand, Item, Unpriced
from components.github import GitHub
from components.options import Options, WithOptions
from components.pull import Pull
from components.service import Service
from components.shell import Shell, command, quoted
from components.workflow import Access, Push, Setting, Step, docker_login
from components.workload import Image

REGISTRIES = {
    "artifact-registry": "components.registry.artifact_registry:ArtifactRegistry",
    "dockerhub": "components.registry.dockerhub:DockerHub",
    "ecr": "components.registry.ecr:Ecr",
    "ecr-public": "components.registry.ecr_public:EcrPublic",
    "ghcr": "components.registry.ghcr:Ghcr",
    "oci": "components.registry.oci:Oci",
}
DEFAULT = "ecr"
"""What a stack has that names none."""
GROUP = "switchyard.registries"
"""Entry points by which third parties add rows."""
DEPLOYED = "deployed-"
"""Images pushed in order to be deployed bear a tag that starts so; retention counts them apart from all others."""
COMMIT = Shell("$(git rev-parse --short HEAD)")
"""A tag that names the commit, as a shell makes it."""
TAG = Shell(f"{DEPLOYED}{COMMIT}")
"""One of a deployment, likewise."""


ADDRESS = Setting(
    "REGISTRY", "what the addresses of all images begin with, such as registry.example.com", output=("repositories",)
)
USERNAME = Setting("REGISTRY_USERNAME", "who pushes to the registry")
PASSWORD = Setting("REGISTRY_PASSWORD", "their password or token, which may write", secret=True)


def login(host: str) -> Step:
    """A login at a registry by what a person keeps on GitHub."""
    return docker_login(host, USERNAME.expression, PASSWORD.expression)


@dataclass(frozen=True)
class Repository:
    """Where one service's images go."""

    url: pulumi.Output[str]
    """The address that images are pushed to, without tag or digest."""
    pull: Pull
    """How a runtime gets at it."""
    push: pulumi.Output[str]
    """Commands, one a line, that push a local image named as the service."""
    cache: pulumi.Output[str] | None = None
    """The address by way of a pull-through cache, where there is one."""

    @property
    def source(self) -> pulumi.Output[str]:
        """The address that runtimes pull from, without tag or digest."""
        return self.url if self.cache is None else self.cache


class RegistryOptions(Options):
    """All that can be known of a registry before anything is made. Where `vpc_endpoints` is empty, nobody can pull from
    it in a network without a way out."""

    pull_cases: ClassVar[Mapping[str, Mapping[str, Any]]] = {"": {}}
    """What the images are pulled by may depend on the block: a case, in words that follow the registry's name, and what
    it changes of the example. The support table has a row for each."""

    tag: ClassVar[Shell] = TAG
    """Of an image that is pushed in order to be deployed."""

    def path(self, namespace: str, service: str) -> str:
        """A service's repository, below what all its images' addresses begin with."""
        return f"{namespace}/{service}"

    def workflow_push(self, region: str) -> Push:
        """How a job of GitHub Actions pushes, the stack's region on AWS being this one. Where the registry does not say
        better: by a login that a person keeps on GitHub."""
        return Push(Access((login(ADDRESS.expression),), (), (ADDRESS, USERNAME, PASSWORD)), ADDRESS.expression)

    def manifests_kept(self, on_aws: bool) -> int | None:
        """How many of a service its retention keeps where it counts each manifest of an index; None: it counts an index
        as one, or nothing expires."""
        return None

    @abstractmethod
    def pulled_by(self, on_aws: bool) -> type[Pull]:
        """The kind of pull access that its images need, by a runtime on AWS or elsewhere."""

    def takes(self, stack: str, on_aws: bool) -> AwsAccess:
        """What it takes on AWS to make it, for a stack of that name whose runtimes are on AWS or elsewhere."""
        return self.aws_access

    def pushing(self, stack: str, services: Iterable[str]) -> AwsAccess:
        """What it takes on AWS to push the images of these services; nothing where the registry is not AWS's."""
        return AwsAccess()

    def identity(self) -> Mapping[str, str]:
        """Who a workflow is at the registry itself, for the stack's output `delivery`; nothing where it is nobody."""
        return {}

    def introduce(self, github: GitHub, stack: str) -> str | None:
        """What an administrator of the registry runs so that a workflow becomes somebody; None: nothing. `stack` is
        before the repositories' names."""
        return None

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What it costs a month."""
        yield Unpriced("registry", "images", "the registry's backend does not state what it costs")

    def notes(self, on_aws: bool) -> Iterator[str]:
        """What `up` says at its end: limits of the registry's that this stack may meet."""
        yield from ()


Of = TypeVar("Of", bound=RegistryOptions)


@dataclass(frozen=True, kw_only=True)
class RegistryArgs(Generic[Of]):
    """What every registry is asked for."""

    services: tuple[str, ...]
    """One repository for each."""
    namespace: str
    """Set before each repository's name, so that two stacks can share an account: `<namespace>/<service>`."""
    protect: bool
    """True keeps images when the stack is destroyed (the destroy then fails and says so)."""
    on_aws: bool
    """True where the runtimes are on AWS."""
    options: Of
    kms_key: str | None = None
    """ARN of the key that encrypts repositories on AWS; None: AWS's own."""


class Registry(WithOptions, pulumi.ComponentResource, ABC, Generic[Of]):
    """Somewhere to keep the images of every service of a stack."""

    token: ClassVar[str]
    """The type in the URN. It outlives the class's name, so it is written out."""
    Options: ClassVar[type[RegistryOptions]]
    """The class of its options: what it is generic over."""
    repositories: Mapping[str, Repository]

    def __init__(self, name: str, args: RegistryArgs[Of], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.token, name, None, opts)
        self.args = args
        self.options = args.options
        self.repositories = self.build(pulumi.ResourceOptions(parent=self))
        self.register_outputs({"repositories": {key: each.url for key, each in self.repositories.items()}})

    def image(self, name: str, service: Service) -> Image | None:
        """What a service runs, from here unless it names an image of someone else's; None: it waits for its first."""
        if service.image:
            return Image.public(service.image)
        if service.digest is None:
            return None
        repository = self.repositories[name]
        return Image(repository.source, service.digest, repository.pull)

    @abstractmethod
    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        """Make the backend's resources under `child`; return one repository a service."""


def tagged(url: str, tag: Shell = TAG) -> Shell:
    """An image's address with such a tag, for a command."""
    return Shell(f"{quoted(url)}:{tag}")


def push_commands(service: str, url: str, tag: Shell = TAG) -> list[str]:
    """The commands that push the local image of a service, once Docker is logged in."""
    image = tagged(url, tag)
    return [command("docker", "tag", service, image), command("docker", "push", image)]


def load(name: str) -> type[Registry[Any]]:
    """The registry behind a config value; raises `UnknownBackend` with the valid names."""
    cls: type[Registry[Any]] = backends.load("registry", name, REGISTRIES, GROUP)
    return cls


def names() -> list[str]:
    """Every registry that can be chosen, third parties' included."""
    return backends.names(REGISTRIES, GROUP)
