"""GitHub's container registry: access and versions beside the code."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from pydantic import Field

from components.cost import Demand, Item, Line
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
    def example(cls, region: str) -> dict[str, Any]:
        return {"owner": "acme", "username": "robot", "password": "token"}

    @classmethod
    def charged(cls, options: Model, demand: Demand) -> Iterator[Item]:
        """Nothing today. Were containers charged as other packages are, the plan's quotas would hold for them."""
        stored, moved, plan = demand.stored(None), cls.transferred(options, demand), demand.usage.github_plan
        some = f"GitHub charged for containers as for other packages (plan {plan}; it promises a month's notice)"
        storage = Line("registry", "images at GitHub", stored, "GB-month", "ghcr.storage", vendor="github")
        transfer = Line("transfer", "pulls from GitHub", moved, "GB", "ghcr.transfer", vendor="github")
        yield storage
        yield transfer
        yield replace(storage, price="packages.storage", free=f"packages.storage-included.{plan}", only_if=some)
        yield replace(transfer, price="packages.transfer", free=f"packages.transfer-included.{plan}", only_if=some)

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
