"""Orchestrators: what runs the copies. To add one: a subclass in a file of its own and a row in ORCHESTRATORS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pulumi

from components import backends
from components.model import Model, NoOptions
from components.pull import Pull
from components.service import FEATURES, Service

if TYPE_CHECKING:  # a stack off AWS does not load AWS's package
    from decimal import Decimal

    from components.aws.edge import Target
    from components.aws.network import Network
    from components.aws.vault import Vault
    from components.cost import Demand, Item

ORCHESTRATORS = {
    "ecs-fargate": "components.orchestrator.ecs_fargate:EcsFargate",
    "ecs-ec2": "components.orchestrator.ecs_ec2:EcsEc2",
    "eks": "components.orchestrator.eks:Eks",
    "kubernetes": "components.orchestrator.kubernetes:Kubernetes",
    "swarm": "components.orchestrator.swarm:Swarm",
    "swarm-ec2": "components.orchestrator.swarm_ec2:SwarmEc2",
}
GROUP = "switchyard.orchestrators"
"""Entry points by which third parties add rows."""


@dataclass(frozen=True)
class Support:
    """What a backend does with one feature of a service."""

    how: Literal["honoured", "translated", "refused"]
    why: str = ""
    """What it becomes (translated), or the reason (refused)."""


HONOURED = Support("honoured")


def translated(what: str) -> Support:
    """The backend does the same by other means, and `what` says how."""
    return Support("translated", what)


def refused(reason: str) -> Support:
    """The backend cannot do it; a service that asks is an error before anything is made."""
    return Support("refused", reason)


OLDER = refused("the backend is older than this field, so it would ignore it; take a newer release of the backend")
"""What a third party's backend does with a feature that it has never heard of."""


@dataclass(frozen=True)
class Image:
    """What to run: a repository and a digest, never a tag."""

    url: pulumi.Output[str]
    digest: str
    pull: Pull

    @property
    def ref(self) -> pulumi.Output[str]:
        """The address a runtime pulls, `url@sha256:...`."""
        return pulumi.Output.concat(self.url, "@", self.digest)


@dataclass(frozen=True)
class Workload:
    """A service that runs on an orchestrator."""

    healthy: tuple[pulumi.Resource, ...]
    """Done only when the service is healthy; traffic waits for them."""
    url: pulumi.Output[str] | None = None
    """Where it answers by itself; None behind the edge."""


@dataclass(frozen=True, kw_only=True)
class OrchestratorArgs:
    """What every orchestrator is given. The two that only AWS has are None off AWS."""

    stack: str
    """The stack's name as a DNS label of at most 40 characters: for the few names that must be fixed."""
    region: str | None
    protect: bool
    """True in production. It guards what outlives an orchestrator; the orchestrator itself must be able to go."""
    options: Model
    network: Network | None = None
    vault: Vault | None = None
    profile: str | None = None
    """The profile whose credentials make what is on AWS; None: the default ones."""


class Orchestrator(pulumi.ComponentResource, ABC):
    """A runtime for the services of a stack."""

    key: ClassVar[str]
    """Its name in config, in ORCHESTRATORS and in the environment of each copy."""
    token: ClassVar[str]
    """The type in the URN. It outlives the class's name, so it is written out."""
    Options: ClassVar[type[Model]] = NoOptions
    """The config block `switchyard:<key>` that only this backend understands."""
    capabilities: ClassVar[Mapping[str, Support]]
    """What it does with each of `FEATURES`; none may be missing."""
    target: ClassVar[Literal["ip", "instance"] | None]
    """What it registers at the edge; None: it is outside the edge and publishes ports itself."""
    pulls_by: ClassVar[tuple[type, ...]]
    """The kinds of pull access it can use."""
    renews: ClassVar[bool] = False
    """Its nodes have no AWS role: it pulls by `AwsRole` with ECR's 12-hour login, which it renews in time."""
    vpc_endpoints: ClassVar[frozenset[str]] = frozenset()
    """VPC endpoint services it needs where the network has no other way out."""

    args: OrchestratorArgs

    def __init__(self, name: str, args: OrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.token, name, None, opts)
        self.args = args
        self.register_outputs(self.build(pulumi.ResourceOptions(parent=self)))

    @abstractmethod
    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        """Make the runtime itself under `child`; return what the component registers as outputs."""

    @abstractmethod
    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        """Run one service. `target` is None for a service that is not public, and off the edge."""

    def target_port(self, name: str, service: Service) -> int:
        """The port on which the targets of a service answer, where they are instances."""
        return service.port

    @property
    def target_nodes(self) -> int | None:
        """How many healthy targets show that a service is up, where the targets are nodes; None: one a copy."""
        return None

    @classmethod
    def target_tags(cls, stack: str) -> dict[str, str]:
        """Tags its target groups must bear. Plain text: the edge may not depend on an orchestrator."""
        return {}

    @classmethod
    @abstractmethod
    def logs(cls, stack: str, service: str, options: Model) -> str:
        """The command that shows a service's logs."""

    @classmethod
    def check(cls, options: Model, services: Mapping[str, Service], protect: bool) -> Iterator[tuple[str, object, str]]:
        """What its own block cannot say by types alone: (path in the block, value, what is wanted) for each problem."""
        yield from ()

    @classmethod
    def example(cls, region: str) -> dict[str, Any]:
        """The smallest block that works, with names made up: for whoever looks at an orchestrator that the stack has
        not set up. `region` is the stack's on AWS."""
        return {}

    @classmethod
    def pulls(cls, options: Model, service: str, demand: Demand) -> Decimal:
        """How often a service's image is pulled for one deployment: here once for each copy."""
        return demand.copies(service)

    @classmethod
    def costs(cls, options: Model, demand: Demand) -> Iterator[Item]:
        """What it costs a month, with all that it makes."""
        from components.cost import Unpriced

        yield Unpriced("compute", "copies", "the orchestrator's backend does not state what it costs")

    @classmethod
    def stranded(cls, options: Model) -> str | None:
        """What is wanted instead of a public network, where its copies could not get out of one; None: they can."""
        return None

    @classmethod
    def refusals(cls, service: Service) -> dict[str, str]:
        """Feature -> reason, for each feature that `service` asks for and this orchestrator refuses."""
        asked = [name for name, wanted in FEATURES.items() if wanted(service)]
        support = {name: cls.capabilities.get(name, OLDER) for name in asked}
        return {name: each.why for name, each in support.items() if each.how == "refused"}


def load(key: str) -> type[Orchestrator]:
    """The orchestrator behind a config value; raises `UnknownBackend` with the valid names."""
    cls: type[Orchestrator] = backends.load("orchestrator", key, ORCHESTRATORS, GROUP)
    return cls


def names() -> list[str]:
    """Every orchestrator that can be chosen, third parties' included."""
    return backends.names(ORCHESTRATORS, GROUP)
