"""GitHub's container registry: access and versions beside the code."""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field

from components.cost import Demand, Item, Line
from components.registry.hosted import Account, Hosted, HostedOptions
from components.workflow import Access, Push, docker_login


class GhcrOptions(HostedOptions):
    """`ghcr`."""

    key = "ghcr"
    host = api = server = upstream = "ghcr.io"

    owner: Account = Field(
        examples=["acme"], description="The user or organisation that the packages belong to, in lower case."
    )

    def charged(self, demand: Demand) -> Iterator[Item]:
        """Nothing today. Were containers charged as other packages are, the plan's quotas would hold for them."""
        stored, moved, plan = demand.stored(None), self.transferred(demand), demand.usage.github_plan
        some = (
            f"GitHub charged for containers as for other packages (plan {plan}), which it would announce a month before"
        )
        storage = Line("registry", "images at GitHub", stored, "GB-month", "ghcr.storage", vendor="github")
        transfer = Line("transfer", "pulls from GitHub", moved, "GB", "ghcr.transfer", vendor="github")
        yield storage
        yield transfer
        yield replace(storage, price="packages.storage", free=f"packages.storage-included.{plan}", only_if=some)
        yield replace(transfer, price="packages.transfer", free=f"packages.transfer-included.{plan}", only_if=some)

    def path(self, namespace: str, service: str) -> str:
        """A package's name may have slashes in it."""
        return f"{self.owner}/{self.repositories.get(service, f'{namespace}/{service}')}"

    def workflow_push(self, region: str) -> Push:
        """By the job's own token. The label `org.opencontainers.image.source` links the package to the repository, so
        that its workflows may write to it."""
        login = docker_login(self.host, "${{ github.actor }}", "${{ secrets.GITHUB_TOKEN }}")
        return Push(Access((login,), ("packages",)), self.host)

    def before_push(self) -> list[str]:
        """A new package is private, whoever owns it."""
        seen = "make it public in its settings" if self.public else "only the owner sees it"
        return [
            f"# The first push makes the package, private: {seen}.",
            "docker login ghcr.io  # with a token that may write packages",
        ]


class Ghcr(Hosted[GhcrOptions]):
    """A package a service, `ghcr.io/<owner>/<stack>/<service>`. Nothing there expires, and nothing is scanned."""

    token = "switchyard:registry:Ghcr"
