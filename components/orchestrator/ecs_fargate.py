"""Amazon ECS on Fargate: replicas without hosts to design, run or secure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated

import pulumi
from pydantic import Field

from components import quotas
from components.cost import Demand, Item, Line, Note
from components.model import Text
from components.needs import Existing, Need, Question, Quota
from components.orchestrator import translated
from components.orchestrator.ecs import CAPABILITIES, Ecs, EcsOptions, Placement
from components.sdk import aws
from components.service import Service

ClusterArn = Annotated[
    str,
    Text(
        r"^arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:cluster/[A-Za-z0-9_-]+$",
        "the ARN of an ECS cluster, such as arn:aws:ecs:us-east-1:123456789012:cluster/shared",
    ),
]
ROLLING = 2
"""Replicas may double while a new version is rolled out (ECS, maximumPercent 200)."""


class EcsFargateOptions(EcsOptions):
    """`ecs-fargate`."""

    key = "ecs-fargate"
    vpc_endpoints = frozenset({"logs", "secretsmanager"})
    capabilities = {
        **CAPABILITIES,
        "cpu": translated("raised to the next size that Fargate sells"),
        "memory": translated("raised to the next size that Fargate sells for the vCPU"),
        "writable": translated(
            "an empty volume of the task; root owns it unless the image declares the path as a VOLUME of its user"
        ),
    }

    cluster: ClusterArn | None = Field(
        default=None, description="ARN of a cluster that exists; Switchyard then makes none."
    )
    spot: bool = Field(
        default=False,
        description="Run all replicas but the first on Fargate Spot: cheaper, but AWS may stop them.",
    )

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield from super().needs(stack, services, protect)
        sizes = [(fargate_size(each.cpu, each.memory)[0] / 1024, each.replicas) for each in services.values()]
        least = sum(cpu * replicas.min for cpu, replicas in sizes)
        most = ROLLING * sum(cpu * replicas.max for cpu, replicas in sizes)
        yield Quota(quotas.FARGATE_SPOT_VCPU if self.spot else quotas.FARGATE_VCPU, least, most)
        if self.cluster:
            question = Question("ecs", "describe_clusters", {"clusters": [self.cluster]})
            what, fix = f"active cluster {self.cluster}", "fix ecs-fargate.cluster, or remove it"
            yield Existing("ecs-cluster", what, question, fix, "clusters[?status=='ACTIVE']")

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What Fargate sells for each replica, by the hour, on demand."""
        yield from super().costs(demand)
        for name, service in demand.services.items():
            units, memory = fargate_size(service.cpu, service.memory)
            hours, key = demand.replicas(name) * demand.hours, f"fargate.{service.architecture}"
            yield Line("compute", f"{name}: vCPU", hours * units / 1024, "vCPU-hour", f"{key}.vcpu")
            yield Line("compute", f"{name}: memory", hours * memory / GIB, "GB-hour", f"{key}.memory")
        if demand.public_ip:
            hours = demand.all_replicas * demand.hours
            yield Line("network", "public IPv4, one a replica", hours, "address-hour", "ipv4.hour")
        if releasing := [name for name, service in demand.services.items() if service.release]:
            yield Note(
                f"release commands ({', '.join(releasing)}) cost as much as a replica while they run, and are in no"
                " sum: nobody knows how long they run"
            )
        if self.spot:
            yield Note(
                "what runs on Fargate Spot costs up to 70 % less, as AWS says: it is priced on demand, because the"
                " price of Spot changes"
            )


class EcsFargate(Ecs[EcsFargateOptions]):
    """ECS whose capacity is AWS's own."""

    token = "switchyard:orchestrator:EcsFargate"
    compatibility = "FARGATE"
    tmpfs = False  # Fargate has none (ECS developer guide, "Task definition differences for Fargate")

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        self.capacity = []
        if self.options.cluster:
            self.cluster = pulumi.Output.from_input(self.options.cluster)
            return {"cluster": self.cluster}
        cluster = self.make_cluster(child)
        self.capacity.append(
            aws.ecs.ClusterCapacityProviders(
                self.options.key,
                cluster_name=cluster.name,
                capacity_providers=["FARGATE", "FARGATE_SPOT"],
                opts=child,
            )
        )
        self.cluster = cluster.arn
        return {"cluster": self.cluster}

    def placement(self, service: Service) -> Placement:
        """Spot has no way back to on-demand when AWS has none left, so the first replica never runs on it."""
        providers: list[aws.ecs.ServiceCapacityProviderStrategyArgsDict] = [
            {"capacity_provider": "FARGATE", "base": 1, "weight": 0 if self.options.spot else 1}
        ]
        if self.options.spot:
            providers.append({"capacity_provider": "FARGATE_SPOT", "weight": 1})
        return Placement(
            providers=providers,
            mark="spot" if self.options.spot else "on-demand",
            public_ip=self.network.public_ip,
        )

    def size(self, name: str, service: Service) -> tuple[int, int]:
        units, memory = fargate_size(service.cpu, service.memory)
        if (units, memory) != (service.cpu * 1024, service.memory):
            pulumi.log.info(
                f"{name}: Fargate does not sell {service.cpu:g} vCPU with {service.memory} MiB;"
                f" it runs with {units / 1024:g} vCPU and {memory} MiB",
                self,
            )
        return units, memory


GIB = 1024


def _sizes() -> Iterator[tuple[int, int]]:
    """What Fargate sells for Linux: (CPU units, MiB), smallest first (ECS developer guide, "Task CPU and memory")."""
    yield from ((256, mib) for mib in (512, GIB, 2 * GIB))
    for units, least, most, step in (
        (512, 1, 4, 1),
        (1024, 2, 8, 1),
        (2048, 4, 16, 1),
        (4096, 8, 30, 1),
        (8192, 16, 60, 4),
        (16384, 32, 120, 8),
    ):
        yield from ((units, gib * GIB) for gib in range(least, most + 1, step))


def fargate_size(cpu: float, memory: int) -> tuple[int, int]:
    """The smallest size with at least `cpu` vCPU and `memory` MiB, as (CPU units, MiB)."""
    return next(size for size in _sizes() if size[0] >= math.ceil(cpu * 1024) and size[1] >= memory)
