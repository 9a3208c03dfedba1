"""GitHub's container registry: access and versions beside the code."""

from typing import cast

from pydantic import Field

from components.model import Model
from components.registry.hosted import Account, Hosted, HostedOptions


class GhcrOptions(HostedOptions):
    """`switchyard:ghcr`."""

    owner: Account = Field(description="The user or organisation that the packages belong to, in lower case.")


class Ghcr(Hosted):
    """A package a service, `ghcr.io/<owner>/<stack>/<service>`. Nothing there expires, and nothing is scanned."""

    token = "switchyard:registry:Ghcr"
    key = "ghcr"
    Options = GhcrOptions
    host = server = upstream = "ghcr.io"

    @classmethod
    def path(cls, options: Model, namespace: str, service: str) -> str:
        """A package's name may have slashes in it."""
        said = cast(GhcrOptions, options)
        return f"{said.owner}/{said.repositories.get(service, f'{namespace}/{service}')}"

    @classmethod
    def before_push(cls, options: Model) -> list[str]:
        """A new package is private, whoever owns it."""
        said = cast(GhcrOptions, options)
        seen = "make it public in its settings" if said.public else "only the owner sees it"
        return [
            f"# The first push makes the package, private: {seen}.",
            "docker login ghcr.io  # with a token that may write packages",
        ]
