"""Any OCI registry by host: Harbor, GitLab, one on this machine. It exists already, so nothing is made."""

from collections.abc import Iterator, Mapping
from typing import Annotated

import pulumi
from pydantic import AfterValidator, Field, SecretStr, model_validator

from components.cost import Demand, Item, Unpriced
from components.model import Text, wanted
from components.needs import Need, RegistryApi
from components.pull import Anonymous, Login, Pull
from components.registry import (
    COMMIT,
    PASSWORD,
    USERNAME,
    Registry,
    RegistryOptions,
    Repository,
    login,
    push_commands,
)
from components.service import Service
from components.shell import command
from components.workflow import Access, Push

HOST_PORT = "a host, and its port after a colon, such as localhost:5000"


def _with_a_port(host: str) -> str:
    port = host.partition(":")[2]
    if port and not 1 <= int(port) <= 65535:
        raise wanted(f"{HOST_PORT}; a port is from 1 to 65535")
    return host


HostPort = Annotated[
    str,
    Text(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$", HOST_PORT, max_length=255),
    AfterValidator(_with_a_port),
]
RepositoryPath = Annotated[
    str,
    Text(
        r"^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$",
        "a repository path, such as acme/web",
        max_length=200,
    ),
]


class OciOptions(RegistryOptions):
    """`oci`."""

    key = "oci"
    tag = COMMIT
    pull_cases = {"": {}, "with `username`": {"username": "robot", "password": "token"}}

    host: HostPort = Field(
        examples=["registry.example.com"],
        description="Where the registry answers, such as localhost:5000 or harbor.example.com.",
    )
    namespace: RepositoryPath | None = Field(
        default=None,
        description="What stands before a service's name, such as a project. Unset: the stack's name.",
    )
    username: str | None = Field(default=None, min_length=1, description="The user who pulls. Unset: anyone may pull.")
    password: SecretStr | None = Field(
        default=None, description="That user's password or token; set it with `pulumi config set --secret --path`."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> "OciOptions":
        if (self.username is None) != (self.password is None):
            given, missing = ("username", "password") if self.username else ("password", "username")
            raise ValueError(f"{given} is set without {missing}: set both, or neither when anyone may pull")
        return self

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield RegistryApi(self.host)

    def path(self, namespace: str, service: str) -> str:
        """Below a namespace of its own, where it has one."""
        return super().path(self.namespace or namespace, service)

    def workflow_push(self, region: str) -> Push:
        """By a login that a person keeps on GitHub."""
        return Push(Access((login(self.host),), (), (USERNAME, PASSWORD)), self.host)

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        """With a user name by that login, else by anyone."""
        return Login if self.username else Anonymous

    def costs(self, demand: Demand) -> Iterator[Item]:
        """Someone else owns it."""
        yield Unpriced("registry", "images", f"only who runs {self.host} knows what they cost there")


class Oci(Registry[OciOptions]):
    """A repository appears with its first push."""

    token = "switchyard:registry:Oci"

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        """One address a service, `host/namespace/service`."""
        options = self.options
        paths = {service: options.path(self.args.namespace, service) for service in self.args.services}
        return {service: _repository(service, f"{options.host}/{path}", options) for service, path in paths.items()}


def _repository(service: str, url: str, options: OciOptions) -> Repository:
    who = [command("docker", "login", "--username", options.username, options.host)] if options.username else []
    push = "\n".join([*who, *push_commands(service, url, options.tag)])
    return Repository(url=pulumi.Output.from_input(url), pull=_pull(options), push=pulumi.Output.from_input(push))


def _pull(options: OciOptions) -> Pull:
    if options.username is None or options.password is None:
        return Anonymous()
    password = pulumi.Output.secret(options.password.get_secret_value())
    return Login(server=options.host, username=options.username, password=password)
