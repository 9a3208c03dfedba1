"""Any OCI registry by host: Harbor, GitLab, one on this machine. It exists already, so nothing is made."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pulumi
from pydantic import Field, SecretStr, model_validator

from components.cost import Demand, Item, Unpriced
from components.model import Model, Text
from components.pull import Anonymous, Login, Pull
from components.registry import COMMIT, Registry, RegistryArgs, Repository, push_commands
from components.shell import command

HostPort = Annotated[
    str,
    Text(
        r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$",
        "a host, and its port after a colon, such as localhost:5000",
    ),
]
RepositoryPath = Annotated[
    str,
    Text(
        r"^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$",
        "a repository path, such as acme/web",
        max_length=200,
    ),
]


class OciOptions(Model):
    """`switchyard:oci`."""

    host: HostPort = Field(description="Where the registry answers, such as localhost:5000 or harbor.example.com.")
    namespace: RepositoryPath | None = Field(
        default=None,
        description="What stands before a service's name, such as a project; by default the stack's name.",
    )
    username: str | None = Field(default=None, min_length=1, description="Who pulls; without it anyone may.")
    password: SecretStr | None = Field(
        default=None, description="Their password or token; set it with `pulumi config set --secret --path`."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> "OciOptions":
        if (self.username is None) != (self.password is None):
            given, missing = ("username", "password") if self.username else ("password", "username")
            raise ValueError(f"{given} is set without {missing}: set both, or neither when anyone may pull")
        return self


class Oci(Registry):
    """A repository appears with its first push."""

    token = "switchyard:registry:Oci"
    Options = OciOptions

    @classmethod
    def pulled_by(cls, options: Model, on_aws: bool) -> type[Pull]:
        """With a user name by that login, else by anyone."""
        assert isinstance(options, OciOptions)
        return Login if options.username else Anonymous

    @classmethod
    def example(cls, region: str) -> dict[str, Any]:
        return {"host": "registry.example.com"}

    @classmethod
    def costs(cls, options: Model, demand: Demand) -> Iterator[Item]:
        """It is somebody's own."""
        assert isinstance(options, OciOptions)
        yield Unpriced("registry", "images", f"what {options.host} costs is for whoever runs it to say")

    def build(self, args: RegistryArgs, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        """One address a service, `host/namespace/service`."""
        options = args.options
        assert isinstance(options, OciOptions)
        base = f"{options.host}/{options.namespace or args.namespace}"
        return {service: _repository(service, f"{base}/{service}", options) for service in args.services}


def _repository(service: str, url: str, options: OciOptions) -> Repository:
    login = [command("docker", "login", "--username", options.username, options.host)] if options.username else []
    push = "\n".join([*login, *push_commands(service, url, COMMIT)])
    return Repository(url=pulumi.Output.from_input(url), pull=_pull(options), push=pulumi.Output.from_input(push))


def _pull(options: OciOptions) -> Pull:
    if options.username is None or options.password is None:
        return Anonymous()
    password = pulumi.Output.secret(options.password.get_secret_value())
    return Login(server=options.host, username=options.username, password=password)
