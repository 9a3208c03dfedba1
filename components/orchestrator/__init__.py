"""Orchestrators: what runs the replicas. To add one: a file with options and component, and a row in ORCHESTRATORS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import pulumi

from components import backends
from components.aws.foundation import Foundation
from components.cost import Demand, Item, Unpriced
from components.edge import Edge, Place
from components.model import Contradiction
from components.options import Options, WithOptions
from components.release import Standing
from components.service import FEATURES, Service
from components.workflow import Access, Step, deploy_role
from components.workload import Image, Registration, Target, TargetKind, Workload

ORCHESTRATORS = {
    "ecs-fargate": "components.orchestrator.ecs_fargate:EcsFargate",
    "ecs-ec2": "components.orchestrator.ecs_ec2:EcsEc2",
    "eks": "components.orchestrator.eks:Eks",
    "kubernetes": "components.orchestrator.kubernetes:Kubernetes",
    "swarm": "components.orchestrator.swarm:Swarm",
    "swarm-ec2": "components.orchestrator.swarm_ec2:SwarmEc2",
}
DEFAULT = "ecs-fargate"
"""What a stack has that names none."""
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


VERBS = ("status", "logs", "run", "exec")
"""What people do with services that run (`components.operations`)."""
OLDER = refused("the backend is older than this field, so it would ignore it; take a newer release of the backend")
"""What a third party's backend does with a feature that it has never heard of."""
NO_VERB = refused("the backend does not say how; use the orchestrator's own tools")
"""What a backend does with a verb that it does not name."""


class OrchestratorOptions(Options):
    """All that can be known of an orchestrator before anything is made."""

    platform: ClassVar[Literal["aws", "any"]] = "any"
    """aws: it stands on the stack's network and vault there. any: on what exists already."""
    target: ClassVar[TargetKind | None] = None
    """What it registers at an edge that takes this; None: it is off every edge and publishes ports itself."""
    capabilities: ClassVar[Mapping[str, Support]]
    """What it does with each of `FEATURES`; none may be missing."""
    verbs: ClassVar[Mapping[str, Support]] = {}
    """What it does with each of `VERBS`; one that is missing is refused."""
    longest_up: ClassVar[int] = 60 * 60
    """Seconds that an `up` takes at the most, a switch to it or away from it as well: CI's session lasts as long."""
    keeps_groups: ClassVar[str] = ""
    """Why its replicas cannot be in a security group that someone else made; empty: they can."""
    operated_by: ClassVar[str | None] = None
    """Who does the verbs, "module:Class" (`components.operations.Operations`): loaded only for one of them."""
    pulls_by: ClassVar[tuple[type, ...]]
    """The kinds of pull access it can use."""
    renews: ClassVar[bool] = False
    """Its nodes have no AWS role: it pulls by `AwsRole` with ECR's 12-hour login, which it renews in time."""

    def check_service(self, name: str, service: Service) -> Iterator[Contradiction]:
        """What of one service it cannot take, with the path below the service."""
        yield from ()

    @abstractmethod
    def logs(self, stack: str, service: str) -> str:
        """The command that shows a service's logs."""

    def registers(self, name: str, service: Service, stack: str, protect: bool) -> Registration | None:
        """What it registers at the edge for a service; None: nothing, off the edge or for one that is not public."""
        return Registration(self.target, service.port) if self.target and service.public else None

    def addresses(self, protect: bool) -> int:
        """How many of its nodes have a fixed public address, where the network gives public ones."""
        return 0

    def joins(self) -> Iterator[Contradiction]:
        """What in its block keeps it from standing behind an edge that takes its target."""
        yield from ()

    def bears(self, services: Mapping[str, Service], protect: bool, memory: int) -> Iterator[Contradiction]:
        """What in its block keeps an edge that takes so many MiB from standing on an instance of its own."""
        yield from ()

    def smaller(self, services: Mapping[str, Service]) -> Iterator[Self]:
        """The same with smaller nodes for these services, the smallest first; whether they have room is not looked
        at."""
        yield from ()

    def alone(self, services: Mapping[str, Service]) -> Iterator[Contradiction]:
        """What in its block keeps services from having addresses of their own, where it stands behind no edge."""
        yield from ()

    def pulls(self, service: str, demand: Demand) -> Decimal:
        """How often a service's image is pulled for one deployment: here once for each replica."""
        return demand.replicas(service)

    def workflow_access(self, region: str) -> Access:
        """A role on AWS for what stands there."""
        return deploy_role(region) if self.platform == "aws" else Access()

    def workflow_reading(self) -> tuple[Step, ...]:
        """What a job needs that only reads the configuration, and has no login."""
        return ()

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What it costs a month, with all that it makes."""
        yield Unpriced("compute", "replicas", "the orchestrator's backend does not state what it costs")

    def notes(self, services: Mapping[str, Service]) -> Iterator[str]:
        """What `up` says at its end: what these services may run into here."""
        yield from ()

    @property
    def needs_way_out(self) -> str | None:
        """What is wanted instead of a public network, where its replicas could not get out of one; None: they can."""
        return None

    @classmethod
    def support(cls, feature: str) -> Support:
        """What it does with a feature of a service."""
        return cls.capabilities.get(feature, OLDER)

    @classmethod
    def does(cls, verb: str) -> Support:
        """What it does with one of `VERBS`."""
        return cls.verbs.get(verb, NO_VERB)

    @classmethod
    def refusals(cls, service: Service) -> dict[str, str]:
        """Feature -> reason, for each feature that `service` asks for and this orchestrator refuses."""
        asked = {name: cls.support(name) for name, wanted in FEATURES.items() if wanted(service)}
        return {name: each.why for name, each in asked.items() if each.how == "refused"}


Of = TypeVar("Of", bound=OrchestratorOptions)


@dataclass(frozen=True, kw_only=True)
class OrchestratorArgs(Generic[Of]):
    """What every orchestrator is given."""

    stack: str
    """The stack's name as a DNS label of at most 40 characters: for the few names that must be fixed."""
    protect: bool
    """True in production, also where `protect` was taken off for its end: what serves still serves as in production.
    An orchestrator itself is not guarded: it must be able to go."""
    options: Of
    foundation: Foundation | None = None
    """Given to those on AWS."""
    releases: Mapping[str, Standing] = field(default_factory=dict)
    """Service -> how its release command stands; none where it does not run here."""
    behind_edge: bool = False
    """Whether an edge sends to it."""
    runs_jobs: bool = False
    """Whether the services' jobs run here: on one orchestrator of a stack alone."""


class Orchestrator(WithOptions, pulumi.ComponentResource, ABC, Generic[Of]):
    """A runtime for the services of a stack."""

    token: ClassVar[str]
    """The type in the URN. It outlives the class's name, so it is written out."""
    Options: ClassVar[type[OrchestratorOptions]]
    """The class of its options: what it is generic over."""
    place: Place | None = None
    """Where an edge can stand on it; `build` sets it."""

    def __init__(self, name: str, args: OrchestratorArgs[Of], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.token, name, None, opts)
        self.args = args
        self.options = args.options
        self.register_outputs(self.build(pulumi.ResourceOptions(parent=self)))

    @abstractmethod
    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        """Make the runtime itself under `child`; return what the component registers as outputs."""

    @abstractmethod
    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        """Run one service. `target` is None for a service that is not public, and off the edge."""

    def serve(self, name: str, service: Service, image: Image, edge: Edge[Any] | None) -> Workload:
        """Run one service, with a target at the edge where it registers one."""
        joins = edge if edge and self.options.target in edge.options.takes else None
        registration = self.options.registers(name, service, self.args.stack, self.args.protect)
        target = joins.target(name, service, self.options.key, registration) if joins and registration else None
        return replace(self.run(name, service, image, target), target=target)


class AwsOrchestrator(Orchestrator[Of]):
    """An orchestrator on AWS, which stands on the stack's foundation there."""

    def __init__(self, name: str, args: OrchestratorArgs[Of], opts: pulumi.ResourceOptions | None = None) -> None:
        if args.foundation is None:
            raise TypeError(f"{name} runs on AWS: give it a foundation")
        self.foundation = args.foundation
        self.region, self.profile = args.foundation.region, args.foundation.profile
        self.network, self.vault = args.foundation.network, args.foundation.vault
        super().__init__(name, args, opts)


def load(key: str) -> type[Orchestrator[Any]]:
    """The orchestrator behind a config value; raises `UnknownBackend` with the valid names."""
    cls: type[Orchestrator[Any]] = backends.load("orchestrator", key, ORCHESTRATORS, GROUP)
    return cls


def names() -> list[str]:
    """Every orchestrator that can be chosen, third parties' included."""
    return backends.names(ORCHESTRATORS, GROUP)
