"""What passes between the edge, an orchestrator and the gate: what to run, where it is registered, and what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from components.pull import Anonymous, Pull

TargetKind = Literal["ip", "instance", "address"]
"""What stands in a group of the edge: on AWS the replicas by their addresses, or the nodes before them; elsewhere an
address, which is known once the service runs, and behind which the orchestrator itself finds the replicas."""


@dataclass(frozen=True)
class Image:
    """What to run: a repository and a digest, never a tag."""

    url: pulumi.Output[str]
    digest: str
    pull: Pull

    @classmethod
    def public(cls, reference: str) -> Image:
        """One that anyone may pull, named by `url@sha256:...`."""
        url, _, digest = reference.partition("@")
        return cls(pulumi.Output.from_input(url), digest, Anonymous())

    @property
    def ref(self) -> pulumi.Output[str]:
        """The address a runtime pulls, `url@sha256:...`."""
        return pulumi.Output.concat(self.url, "@", self.digest)


@dataclass(frozen=True)
class Registration:
    """What an orchestrator registers at the edge for one service. Known before anything is made, for the edge may not
    depend on an orchestrator."""

    kind: TargetKind
    port: int
    """The port on which instances publish the service; of addresses each is registered with its own."""
    nodes: int | None = None
    """How many healthy targets show that the service is up, where the targets are nodes; None: one a replica."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that its target group must bear."""


@dataclass(frozen=True)
class Target:
    """Where an orchestrator registers the replicas of one service."""

    group: pulumi.Output[str]
    """Its name at the edge; on AWS the target group's ARN."""
    ready: pulumi.Resource
    """What the replicas wait for. On AWS the warm-up rule: until it exists the group hangs on no load balancer, and ECS
    refuses it."""
    registration: Registration
    security_group_id: pulumi.Output[str] | None = None
    """Who may connect to the replicas, on AWS."""
    also: Callable[[str], None] | None = None
    """Has the edge send to another host and port besides, until it goes by the workload's own new address. For a hook:
    done when it returns. None: the edge finds each replica by its own port."""


@dataclass(frozen=True)
class Address:
    """Where an edge finds a service that runs."""

    dial: pulumi.Output[str]
    """Host and port."""
    network: pulumi.Output[str] | None = None
    """The id of the engine's network on which alone it is found; None: it is found from everywhere."""


@dataclass(frozen=True)
class Workload:
    """A service that runs on an orchestrator."""

    healthy: tuple[pulumi.Resource, ...]
    """Done only when the service is healthy; traffic waits for them."""
    url: pulumi.Output[str] | None = None
    """Where it answers by itself; None behind the edge."""
    address: Address | None = None
    """Where the edge finds it, for one registered as an address."""
    target: Target | None = None
    """Where the edge sends requests for it; None off the edge, and for a service that is not public."""


def proven(digest: str, workloads: Iterable[Workload]) -> pulumi.Output[str]:
    """The digest of a service, known only once the service is healthy with it wherever it runs."""
    healthy = [
        each.id for workload in workloads for each in workload.healthy if isinstance(each, pulumi.CustomResource)
    ]
    return pulumi.Output.all(*healthy).apply(lambda _: digest)
