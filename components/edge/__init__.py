"""Edges: the URL that callers use, and the weights. To add one: a file with options and component, and a row in EDGES.

An edge outlives every orchestrator. For each service and orchestrator: target -> the workload, healthy -> traffic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

import pulumi

from components import backends
from components.aws.access import AwsAccess
from components.aws.foundation import Foundation
from components.aws.network import Group
from components.cost import Demand, Item, Unpriced
from components.gate import Expected, Gate, GateOptions, Health
from components.guard import GuardOptions, Watch
from components.last_look import LastLook
from components.model import Contradiction
from components.needs import Quota
from components.network_options import Domain, ExistingLoadBalancer
from components.options import Options, WithOptions
from components.service import Service
from components.workload import Registration, Target, TargetKind, Workload

EDGES = {
    "alb": "components.edge.alb:Alb",
    "proxy": "components.edge.proxy:Proxy",
    "proxy-ec2": "components.edge.proxy_ec2:ProxyEc2",
}
DEFAULT = "alb"
"""What a stack has that names none, where an orchestrator registers something that it takes."""
GROUP = "switchyard.edges"
"""Entry points by which third parties add rows."""
WARM_UP_HEADER = "x-switchyard-to"
"""A request with this header goes to the orchestrator it names, whatever the weights: to try a newcomer first."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """How much a stack has at its edge."""

    public: int
    """Services that callers reach."""
    orchestrators: int
    """Those that are up side by side."""
    targets: int
    """Replicas or nodes that are registered, each once for a service."""
    names: int
    """Host names with HTTPS; 0: there is none."""

    @property
    def in_a_move(self) -> Traffic:
        """The same while the stack moves to another orchestrator."""
        return self if self.orchestrators > 1 else replace(self, orchestrators=2, targets=2 * self.targets)


@dataclass(frozen=True)
class Shared:
    """How the requests of one service are shared, as a state has it."""

    urn: str
    """The resource that shares them."""
    weights: Mapping[str, int]
    """Orchestrator -> weight, for those with a weight above 0."""


class EdgeOptions(Options):
    """All that can be known of an edge before anything is made."""

    platform: ClassVar[Literal["aws", "any"]] = "any"
    """aws: it stands on the stack's network there. any: on what exists already."""
    takes: ClassVar[frozenset[TargetKind]]
    """What an orchestrator may register at it."""
    reads: ClassVar[frozenset[str]] = frozenset({"gate", "guard"})
    """Keys of the stack, as fields, that mean something to it; one that the stack sets and it does not read is an
    error."""
    for_https: ClassVar[str] = "{name}"
    """What `domain` is told in order to have HTTPS, for messages."""
    loses: ClassVar[str] = ""
    """What is lost by it, beside a load balancer."""
    keeps: ClassVar[int] = 0
    """MiB that it takes of an instance of the orchestrator's, on which it stands; 0: it stands on none."""
    rule: ClassVar[str]
    """The type of the resources that share requests, one for each service. A step of `yard switch` changes no other."""

    @classmethod
    @abstractmethod
    def groups(cls, rule: Mapping[str, Any]) -> dict[str, int]:
        """Group -> weight, for all of such a resource's inputs, in their order. Nothing: it shares no requests."""

    @classmethod
    @abstractmethod
    def shared(cls, resources: Iterable[Mapping[str, Any]]) -> Iterator[Shared]:
        """For each service that has traffic, how it is shared by what a state has."""

    @classmethod
    def watch(cls, resources: Iterable[Mapping[str, Any]], region: str | None, profile: str | None) -> Watch | None:
        """Who knows what callers get, for the groups that a state has; None: nobody does."""
        return None

    def check_domain(self, domain: Domain | None, hosts: Mapping[str, str]) -> Iterator[Contradiction]:
        """What keeps it from being where `domain` says, or from having none; `hosts` are those of services, by the
        path of their keys."""
        yield from ()

    def quotas(self, traffic: Traffic) -> Iterator[Quota]:
        """The room that it needs for a stack, now and in a move."""
        yield from ()

    def taken(self, *, own: bool, domain: bool, access_logs: bool, waf: bool = False) -> AwsAccess:
        """What it takes on AWS to make it, for the role by which CI deploys. `own` False: one that exists is used."""
        return self.aws_access

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What it costs a month."""
        yield Unpriced("load balancer", "edge", "the edge's backend does not state what it costs")


Of = TypeVar("Of", bound=EdgeOptions)


@dataclass(frozen=True, kw_only=True)
class Place:
    """An instance of an orchestrator's, on which an edge can stand."""

    engine: Mapping[str, pulumi.Input[str]]
    """By what a resource on its engine is reached, and of which swarm it is: on another one it is another."""
    host: str
    """The engine itself, known before it is there."""
    network: pulumi.Input[str]
    """The id of the engine's network on which services are found by name."""
    cpu: str
    """As the engine calls it, such as arm64."""
    logs: Mapping[str, Any]
    """Where it writes, as the engine is told."""
    address: pulumi.Output[str]
    """Where callers from everywhere reach it; it stays when the instance is replaced."""
    group: Group
    """The security group that it is in."""
    ask: Callable[[str, Mapping[str, str]], str]
    """A URL and headers -> the status that the instance itself is answered, or why there is none."""


@dataclass(frozen=True, kw_only=True)
class EdgeArgs(Generic[Of]):
    """What every edge is given. Of the stack's own keys it reads those that its options name in `reads`."""

    stack: str
    """The stack's name as a DNS label of at most 40 characters: for the few names that must be fixed."""
    options: Of
    foundation: Foundation | None = None
    """Given to those on AWS."""
    place: Place | None = None
    """Given to those that stand on an orchestrator's instance."""
    came_from: str | None = None
    """The edge that has had the name until this `up`, where its record leads to an instance: it is taken over."""
    routes: Mapping[str, Service]
    """Every public service of the stack, by name."""
    orchestrators: list[str]
    """Every orchestrator that could ever run one."""
    hosts: tuple[str, ...] = ()
    """Host names of services, besides the domain's own."""
    protect: bool
    """True guards it against deletion."""
    gate: GateOptions
    guard: GuardOptions = field(default_factory=GuardOptions)
    domain: Domain | None = None
    existing: ExistingLoadBalancer | None = None
    security_group: str | None = None
    """Id of one that exists, for its load balancer."""
    strict: bool = False
    """True turns every ambiguous request away; False only harmful ones."""
    access_logs: bool = False
    waf: str | None = None
    """ARN of the web ACL that looks at requests first."""
    tls_policy: str | None = None
    """The security policy of HTTPS; None: the edge's own choice."""


class Edge(WithOptions, pulumi.ComponentResource, ABC, Generic[Of]):
    """The URL of a stack. `build` sets `url`."""

    token: ClassVar[str]
    """The type in the URN. It outlives the class's name, so it is written out."""
    Options: ClassVar[type[EdgeOptions]]
    """The class of its options: what it is generic over."""
    url: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeArgs[Of], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.token, name, None, opts)
        self.args = args
        self.options = args.options
        self._gate = Gate(args.gate, self.health, self.options.groups, look=LastLook(args.guard, self.watch))
        self.build(name, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"url": self.url})

    @abstractmethod
    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        """Make what all services share under `child`, and set `url`."""

    @abstractmethod
    def target(self, service_name: str, service: Service, orchestrator: str, registration: Registration) -> Target:
        """A group of its own for each service and orchestrator, reachable only by the warm-up header.

        Never shared: the Kubernetes controllers evict targets that are not theirs.
        """

    @abstractmethod
    def health(self, group: str) -> list[Health]:
        """What the edge itself finds of each target of a group."""

    def watch(self, service: str, groups: Sequence[str], rule: Mapping[str, Any]) -> Watch | None:
        """Who knows what callers get from groups of a service's traffic rule, which has these inputs; by group. None:
        nobody does."""
        return None

    @abstractmethod
    def share(
        self,
        service_name: str,
        service: Service,
        weights: Mapping[str, int],
        workloads: Mapping[str, Workload],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Make the one resource, named as the service and of the type `rule`, that shares its requests; with `opts`, by
        which it waits for health. Each workload here has a target."""

    def finish(self) -> None:
        """Called once every service has its traffic."""

    def traffic(
        self, service_name: str, service: Service, weights: Mapping[str, int], workloads: Mapping[str, Workload]
    ) -> None:
        """Share the service's requests by `weights`, once each workload with weight is healthy and the gate is open."""
        targets = {key: each.target for key, each in sorted(workloads.items()) if each.target}
        if not targets:
            return
        self._gate.expected[service_name] = Expected(
            service.replicas.min,
            service.health,
            tuple(each.registration.nodes for each in targets.values()),
            tuple(targets),
        )
        healthy = [each for key, workload in workloads.items() if weights[key] > 0 for each in workload.healthy]
        opts = pulumi.ResourceOptions(parent=self, depends_on=healthy, hooks=self._gate.binding)
        self.share(service_name, service, weights, {key: workloads[key] for key in targets}, opts)


def load(name: str) -> type[Edge[Any]]:
    """The edge behind a config value; raises `UnknownBackend` with the valid names."""
    cls: type[Edge[Any]] = backends.load("edge", name, EDGES, GROUP)
    return cls


def names() -> list[str]:
    """Every edge that can be chosen, third parties' included."""
    return backends.names(EDGES, GROUP)


def chosen(named: str | None, registered: Iterable[TargetKind | None]) -> str | None:
    """The edge of a stack that names this one, or none, and whose orchestrators register these; None: it has none."""
    if named:
        return named
    return DEFAULT if load(DEFAULT).Options.takes.intersection(registered) else None
