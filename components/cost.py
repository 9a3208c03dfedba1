"""What a stack costs a month: each backend states lines, and prices are looked up only afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, get_args

from components.network_options import Kind
from components.pull import AwsRole, Login, Pull
from components.service import Service
from components.usage import Usage, exact

Column = Literal["registry", "network", "load balancer", "compute", "control plane", "logs", "transfer"]
COLUMNS: tuple[Column, ...] = get_args(Column)


@dataclass(frozen=True)
class Line:
    """Something that is paid for by quantity."""

    column: Column
    what: str
    quantity: Decimal
    """A month's."""
    unit: str
    """The price's own; that it is the same is checked."""
    price: str
    """A key in the files under components/prices/."""
    free: str | None = None
    """The key of an allowance that is taken off first."""
    vendor: str = "aws"
    region: str | None = None
    """Where the vendor charges it; None: the stack's region on AWS, elsewhere what is the same everywhere."""
    only_if: str = ""
    """A condition that does not hold today: then it is in no sum, and told beside it."""
    shared: bool = False
    """In a move, the other orchestrator that states the same has no second one of it."""


@dataclass(frozen=True)
class Unpriced:
    """Something that costs, and nobody here knows how much."""

    column: Column
    what: str
    why: str


@dataclass(frozen=True)
class Note:
    """What the reader of an estimate must know besides."""

    text: str


Item = Line | Unpriced | Note


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a stack asks of a registry and its orchestrators, and how much of it in a month."""

    services: Mapping[str, Service]
    usage: Usage
    on_aws: bool
    network: Kind
    public_ip: bool
    """Whether replicas or their nodes have public addresses."""
    zones: int
    log_days: int
    protect: bool
    access_logs: bool
    domain: bool
    own_network: bool
    """False: in a VPC that exists, which costs the same without this stack."""
    own_load_balancer: bool
    endpoints: frozenset[str]
    pull: type[Pull]
    flow_logs: bool = False
    """Whether connections in the network are logged."""
    waf: bool = False
    own_key: bool = False
    """Whether a KMS key of the owner's encrypts what is kept."""
    pulls: Mapping[str, Decimal] = field(default_factory=dict)
    """Service -> how often its image is pulled for one deployment."""

    @property
    def hours(self) -> Decimal:
        """Hours a month that the stack is up."""
        return exact(self.usage.hours)

    def replicas(self, name: str) -> Decimal:
        """Replicas of a service, on average."""
        replicas = self.services[name].replicas
        return replicas.min + (replicas.max - replicas.min) * exact(self.usage.load)

    @property
    def all_replicas(self) -> Decimal:
        """Replicas of all services, on average."""
        return sum(map(self.replicas, self.services), Decimal(0))

    @property
    def new(self) -> Decimal:
        """GB of an image that are not there already."""
        return self.usage.image * (1 - exact(self.usage.layer_reuse))

    @property
    def pulled(self) -> Decimal:
        """GB of images that replicas and nodes pull a month."""
        return sum(self.pulls.values(), Decimal(0)) * self.usage.deploys * self.new

    @property
    def crosses_network(self) -> Decimal:
        """GB a month that go through NAT gateways: logs, and images, but not ECR's, whose layers are in S3."""
        inside = self.of_registry.pulled if issubclass(self.pull, AwsRole) else 0
        return exact(self.usage.logs) + self.pulled - inside

    @property
    def of_registry(self) -> Demand:
        """What is asked of the registry: nothing for services whose images are someone else's."""
        services = {name: each for name, each in self.services.items() if each.image is None}
        return replace(
            self, services=services, pulls={name: self.pulls[name] for name in services if name in self.pulls}
        )

    def stored(self, kept: int | None) -> Decimal:
        """GB of images that a year of deployments leaves in a registry; `kept`: at the most of each service."""
        made = 12 * self.usage.deploys
        count = made if kept is None else min(kept, made)
        if count == 0:
            return Decimal(0)
        return len(self.services) * (self.usage.image + (count - 1) * self.new)


def secrets(demand: Demand) -> Iterator[Line]:
    """What an orchestrator pays that takes services' secrets, and the registry's login, from Secrets Manager."""
    login = issubclass(demand.pull, Login)  # one for each service
    of = {name: len(each.secrets) + (login and each.image is None) for name, each in demand.services.items()}
    if count := sum(of.values()):
        yield Line("compute", "services' secrets", Decimal(count), "secret-month", "secrets.secret", shared=True)
        reads = sum((demand.replicas(name) * each for name, each in of.items()), Decimal(0)) * demand.usage.deploys
        yield Line("compute", "reading them as replicas start", reads / 10_000, "10k calls", "secrets.calls")
        if demand.own_key:
            yield Line("compute", "decrypting them with the KMS key", reads / 10_000, "10k calls", "kms.calls")


def jobs(demand: Demand, more: str = "") -> Iterator[Unpriced]:
    """The services' jobs, which are paid for like replicas while they run."""
    if having := [name for name, service in demand.services.items() if service.jobs]:
        yield Unpriced("compute", f"jobs of {', '.join(having)}", f"how long they run is not known{more}")


def instances(what: str, kind: str, count: Decimal, disk: int, demand: Demand) -> Iterator[Line]:
    """EC2 instances of one type, `disk` GiB each, with public addresses where the network gives them."""
    yield Line("compute", f"{what}: {kind}", count * demand.hours, "hour", f"ec2.{kind}")
    months = demand.hours / 730
    yield Line("compute", f"{what}: disks", count * disk * months, "GB-month", "ebs.gp3")
    if demand.public_ip:
        yield Line("network", f"{what}: public IPv4", count * demand.hours, "address-hour", "ipv4.hour")
