"""Docker Hub: Docker's own registry."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from pydantic import Field

from components.cost import Demand, Item, Line, Note
from components.model import Contradiction
from components.pull import Anonymous, Login, Pull
from components.registry.hosted import Account, Hosted, HostedOptions
from components.service import Service
from components.workflow import Access, Push, Setting, docker_login

LIMITS: dict[type[Pull], str] = {
    Anonymous: "Docker Hub lets an address pull 100 images in 6 hours without a login, and all nodes behind one NAT"
    " gateway have one address: with a login (`username`, `password`, without `public`) the nodes pull from a cache",
    Login: "Docker Hub lets an account without a plan pull 200 images in 6 hours, all nodes together:"
    " `login: cache` pulls each image once",
}
"""Where pulls are counted, by how the runtimes pull (Docker Hub, "Pull usage and limits")."""


USERNAME = Setting("DOCKERHUB_USERNAME", "the user at Docker Hub who pushes")
TOKEN = Setting("DOCKERHUB_TOKEN", "their access token, *Read & Write*", secret=True)


class DockerHubOptions(HostedOptions):
    """`dockerhub`."""

    key = "dockerhub"
    host = "docker.io"
    server = "https://index.docker.io/v1/"
    api = upstream = "registry-1.docker.io"

    namespace: Account = Field(
        examples=["acme"], description="The user or organisation that the repositories belong to."
    )

    def charged(self, demand: Demand) -> Iterator[Item]:
        """The plan. The free one has one private repository; storage and pulls cost nothing (fair use)."""
        private = 0 if self.public else len(demand.services)
        plan = "pro" if private > 1 else "personal"
        yield Line("registry", f"plan {plan.title()}", Decimal(1), "account-month", f"plan.{plan}", vendor="docker")
        yield Line("registry", "images at Docker Hub", demand.stored(None), "GB", "storage", vendor="docker")
        if plan == "pro":
            yield Note(
                f"Docker Hub's free plan has one private repository, and the stack needs {private}, so the plan Pro is"
                " priced, billed by the month: by the year it costs less"
            )

    def path(self, namespace: str, service: str) -> str:
        """A repository's name has no slash in it."""
        return f"{self.namespace}/{self.repositories.get(service, f'{namespace}-{service}')}"

    def workflow_push(self, region: str) -> Push:
        """By an access token: that without a secret, by OpenID Connect, is for the plans Team and Business."""
        login = docker_login(self.host, USERNAME.expression, TOKEN.expression)
        return Push(Access((login,), (), (USERNAME, TOKEN)), self.host)

    def before_push(self) -> list[str]:
        """A new repository is as public as the account's settings say; by default everyone sees it."""
        seen = "anyone may pull it" if self.public else "make it at hub.docker.com before that, as a private one"
        return [
            f"# The first push makes the repository, public unless the account's default is private: {seen}.",
            "docker login  # with a token that may write",
        ]

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """Names that only other registries take, besides."""
        yield from super().check(services, protect)
        for name, repository in self.repositories.items():
            if "/" in repository:
                yield f"repositories.{name}", repository, "a name without a slash: Docker Hub has no folders"

    def notes(self, on_aws: bool) -> Iterator[str]:
        """Docker Hub counts pulls."""
        if on_aws and (limit := LIMITS.get(self.pulled_by(on_aws))):
            yield limit


class DockerHub(Hosted[DockerHubOptions]):
    """A repository a service, `docker.io/<namespace>/<stack>-<service>`. Nothing there expires."""

    token = "switchyard:registry:DockerHub"
