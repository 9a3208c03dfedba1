"""Amazon ECS on EC2 instances of the account's own: an Auto Scaling group for each CPU architecture, which ECS scales.

There is no hook that prepares the deletion, because there could not be one: see docs/decisions/0010-ecs-on-ec2.md.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

import pulumi
from pydantic import Field

from components.aws import iam, instances, parts
from components.aws.fleet import (
    INSTANCE_TYPES,
    SMALL,
    Ami,
    Architecture,
    Fleet,
    InstanceType,
    TypeName,
    architecture,
    least,
    on_demand,
    whole,
)
from components.aws.network import Group
from components.cost import Demand, Item, Note
from components.cost import instances as rented
from components.model import Contradiction
from components.needs import Need
from components.orchestrator import HONOURED, translated
from components.orchestrator.ecs import CAPABILITIES, Ecs, EcsOptions, Placement
from components.sdk import aws
from components.service import Service

IMAGES: Mapping[Architecture, str] = {
    "x86_64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
    "arm64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
}
"""AWS's public parameters with the newest ECS-optimised image (ECS developer guide, "Retrieving ECS-optimized AMI")."""
SMALLEST = 128
"""CPU units that a task on EC2 must ask for at least (ECS API, RegisterTaskDefinition)."""

FLEET = Fleet(interface_each=True)


class EcsEc2Options(EcsOptions):
    """`ecs-ec2`."""

    key = "ecs-ec2"
    aws_access = parts.ECS_EC2
    vpc_endpoints = frozenset({"ecs", "ecs-agent", "ecs-telemetry", "logs", "secretsmanager"})
    capabilities = {
        **CAPABILITIES,
        "cpu": translated("at least 0.125 vCPU, the smallest that ECS takes"),
        "memory": HONOURED,
        "writable": translated("tmpfs of 256 MiB, which counts towards the replica's memory"),
    }

    instance_types: tuple[TypeName, ...] = Field(
        default=(SMALL["x86_64"],),
        min_length=1,
        description="EC2 instance types, the preferred one first. If AWS has no more of it, the next one is taken."
        " Types of both CPU architectures make a group of instances for each.",
    )
    min: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Instances of each architecture that always run. With 2 or more, one may be lost.",
    )
    max: int = Field(default=4, ge=1, le=100, description="The most instances of each architecture.")
    disk: int = Field(default=30, ge=30, le=1000, description="Root volume of each instance, in GiB; encrypted.")
    ami: Ami | None = Field(
        default=None,
        description="Image of the instances. Unset: the ECS-optimised Amazon Linux 2023 that is AWS's newest when"
        " the cluster is made; it stays. A new value replaces the instances one by one.",
    )
    isolated: bool = Field(
        default=False,
        description="With `network: public`: true says that replicas need no way out. On EC2 AWS gives them no"
        " public address, so they answer callers but reach nothing outside the VPC.",
    )

    def types(self, wanted: Architecture) -> list[str]:
        """The instance types of one architecture."""
        return [each for each in self.instance_types if architecture(each) == wanted]

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        if self.max < self.min:
            yield "max", self.max, f"at least min, {self.min}"
        if self.ami and len({architecture(each) for each in self.instance_types}) > 1:
            yield "ami", self.ami, "no image, or instance types of one architecture: an image is for one only"
        for wanted in IMAGES:
            theirs = {name: service for name, service in services.items() if service.architecture == wanted}
            types = self.types(wanted)
            if theirs and not types:
                yield (
                    "instance-types",
                    list(self.instance_types),
                    f"a type of {wanted} too, such as {SMALL[wanted]}, for {', '.join(theirs)}",
                )
            elif theirs and (known := least(types)):
                yield from _too_small(types, known, theirs)
                yield from _too_few(known, theirs, self.max)

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        """Each instance may be of the largest type that is named."""
        yield from super().needs(stack, services, protect)
        if least(self.instance_types) is None:
            return  # how many vCPU one has, only AWS knows; it may count towards another quota
        each_of = [max(INSTANCE_TYPES[each].vcpu for each in self.types(one)) for one in IMAGES if self.types(one)]
        yield on_demand(sum(each_of) * max(self.min, 1), sum(each_of) * self.max)

    @property
    def needs_way_out(self) -> str | None:
        if self.isolated:
            return None
        return (
            f"a network by which replicas on {self.key} get out: nat-single, nat-per-az or endpoints (AWS gives them no"
            f" public address on EC2); or {self.key}.isolated true, if they need not get out"
        )

    def pulls(self, service: str, demand: Demand) -> Decimal:
        """Once for each instance that has replicas."""
        wanted = demand.services[service].architecture
        return min(demand.replicas(service), self._fleet(wanted, demand)[1])

    def costs(self, demand: Demand) -> Iterator[Item]:
        """As many instances as the replicas need, of the preferred type."""
        yield from super().costs(demand)
        for wanted in IMAGES:
            kind, count = self._fleet(wanted, demand)
            if count:
                yield from rented("instances", kind, count, self.disk, demand)
            if count and kind not in self.instance_types:
                yield Note(
                    f"the instances are priced as {kind}: none of `ecs-ec2.instance-types` has room for the replicas of"
                    " every service"
                )

    def _fleet(self, wanted: Architecture, demand: Demand) -> tuple[str, Decimal]:
        """The instance type for replicas of an architecture, and how many of it they need."""
        theirs = {name: each for name, each in demand.services.items() if each.architecture == wanted}
        kind = FLEET.type_for((self.types(wanted) or [SMALL[wanted]])[0], theirs.values())
        known = least([kind])
        if not theirs or known is None:
            asked_for = all(self.types(each.architecture) for each in demand.services.values())
            return kind, Decimal(self.min if self.types(wanted) and asked_for else 0)
        replicas = [(each, float(demand.replicas(name))) for name, each in theirs.items()]
        return kind, Decimal(max(self.min, whole(max(FLEET.needs(known, replicas).values()))))


class EcsEc2(Ecs[EcsEc2Options]):
    """ECS whose capacity is instances: a launch template, a group and a capacity provider for each architecture."""

    token = "switchyard:orchestrator:EcsEc2"
    compatibility = "EC2"
    tmpfs = True

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        cluster = self.make_cluster(child)
        self.cluster = cluster.arn
        profile, may_join = self._profile(cluster)
        group = self._security_group_of_instances()
        self.capacity_providers = {
            each: self._capacity(each, self._template(each, cluster, profile, group), [may_join, *group.ready])
            for each in IMAGES
            if self.options.types(each)
        }
        self.capacity = [
            aws.ecs.ClusterCapacityProviders(
                self.options.key,
                cluster_name=cluster.name,
                capacity_providers=[each.name for each in self.capacity_providers.values()],
                opts=child,
            )
        ]
        return {"cluster": self.cluster}

    def placement(self, service: Service) -> Placement:
        """Replicas go to as many zones as there are, and within a zone to as few instances as will do."""
        return Placement(
            providers=[{"capacity_provider": self.capacity_providers[service.architecture].name, "weight": 1}],
            mark=service.architecture,
            public_ip=False,  # AWS gives a task on EC2 none
            order=[
                {"type": "spread", "field": "attribute:ecs.availability-zone"},
                {"type": "binpack", "field": "memory"},
            ],
        )

    def size(self, name: str, service: Service) -> tuple[int, int]:
        return max(SMALLEST, math.ceil(service.cpu * 1024)), service.memory

    def _profile(self, cluster: aws.ecs.Cluster) -> tuple[aws.iam.InstanceProfile, pulumi.Resource]:
        """The instances' role, and what it allows: to belong to this cluster, and nothing else.

        AWS's managed policy (AmazonEC2ContainerServiceforEC2Role) also lets an instance pull every image and write
        every log of the account. Here pulling and logging are the execution roles', as on Fargate.
        """
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(self.options.key, assume_role_policy=iam.trust("ec2.amazonaws.com"), opts=child)
        of_the_cluster = {"Condition": {"ArnEquals": {"ecs:cluster": cluster.arn}}}
        policy = aws.iam.RolePolicy(
            self.options.key,
            role=role.name,
            policy=iam.document(
                iam.allow(
                    ["ecs:RegisterContainerInstance", "ecs:DeregisterContainerInstance", "ecs:Submit*"], [cluster.arn]
                ),
                iam.allow(["ecs:Poll", "ecs:StartTelemetrySession"], ["*"]) | of_the_cluster,
                iam.allow(["ecs:DiscoverPollEndpoint"], ["*"]),  # AWS defines no resource for it
            ),
            opts=child,
        )
        return aws.iam.InstanceProfile(self.options.key, role=role.name, opts=child), policy

    def _security_group_of_instances(self) -> Group:
        """Nothing comes in: requests go to the replicas, which have interfaces and a group of their own."""
        child = pulumi.ResourceOptions(parent=self)
        # No service's name has two dashes in a row, so none is called like this.
        name = f"{self.options.key}--instances"
        return self.network.group(name, f"Instances of {self.options.key}", child)

    def _template(
        self,
        wanted: Architecture,
        cluster: aws.ecs.Cluster,
        profile: aws.iam.InstanceProfile,
        group: Group,
    ) -> aws.ec2.LaunchTemplate:
        return instances.template(
            f"ec2-{wanted}",
            self,
            ami=self.options.ami,
            parameter=IMAGES[wanted],
            profile=profile,
            group=group.id,
            disk=self.options.disk,
            public_ip=self.network.public_ip,
            user_data=cluster.name.apply(user_data),
        )

    def _capacity(
        self, wanted: Architecture, template: aws.ec2.LaunchTemplate, before: list[pulumi.Resource]
    ) -> aws.ecs.CapacityProvider:
        """Instances of one architecture, as many as the replicas need."""
        types = self.options.types(wanted)
        if unknown := [each for each in types if each not in INSTANCE_TYPES]:
            pulumi.log.info(
                f"how many replicas {' and '.join(unknown)} can hold is not known here, so it was not checked:"
                " each replica takes a network interface, and an instance has only so many",
                self,
            )
        fleet = self._group(wanted, template, before)
        return aws.ecs.CapacityProvider(
            f"ec2-{wanted}",  # AWS takes no name that begins with "ecs"
            auto_scaling_group_provider={
                "auto_scaling_group_arn": fleet.arn,
                "managed_scaling": {"status": "ENABLED", "target_capacity": 100, "instance_warmup_period": 60},
                "managed_draining": "ENABLED",
                "managed_termination_protection": "ENABLED",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _group(
        self, wanted: Architecture, template: aws.ec2.LaunchTemplate, before: list[pulumi.Resource]
    ) -> aws.autoscaling.Group:
        """The group of these instances, between the limits of the block."""
        return aws.autoscaling.Group(
            f"ec2-{wanted}",
            min_size=self.options.min,
            max_size=self.options.max,
            vpc_zone_identifiers=self.network.workload_subnets,
            mixed_instances_policy={
                "launch_template": instances.launched(template, self.options.types(wanted)),
                "instances_distribution": {
                    "on_demand_allocation_strategy": "prioritized",
                    "on_demand_percentage_above_base_capacity": 100,
                },
            },
            # Another template: a new instance first, then an old one is drained by ECS and goes.
            instance_refresh={
                "strategy": "Rolling",
                "preferences": {
                    "min_healthy_percentage": 100,
                    "max_healthy_percentage": 110,
                    "scale_in_protected_instances": "Refresh",
                },
            },
            protect_from_scale_in=True,
            # ECS never takes the protection off again (containers-roadmap #2862); by force, AWS ends instances
            # protected or not. When the group goes, the services are gone already: nothing runs on them.
            force_delete=True,
            tags=[
                {"key": "Name", "value": f"{self.args.stack}-{self.options.key}", "propagate_at_launch": True},
                # ECS puts it there anyway; undeclared, each preview would take it off.
                {"key": "AmazonECSManaged", "value": "true", "propagate_at_launch": True},
            ],
            # The routes: an instance without a way out cannot join the cluster, nor say that it leaves.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*before, *self.network.ready]),
        )


def user_data(cluster: str) -> str:
    """What an instance runs when it starts, in base64: it joins the cluster, pulls and logs by the tasks' execution
    roles, and keeps its own credentials from the tasks."""
    script = f"""\
#!/bin/bash
cat >> /etc/ecs/ecs.config <<'END'
ECS_CLUSTER={cluster}
ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true
ECS_AWSVPC_BLOCK_IMDS=true
END
"""
    return base64.b64encode(script.encode()).decode()


def _too_small(types: list[str], known: InstanceType, services: Mapping[str, Service]) -> Iterator[Contradiction]:
    """Services of which an instance cannot hold even one replica."""
    for name, service in services.items():
        if not FLEET.holds(known, service):
            yield (
                "instance-types",
                types,
                f"types with room for a replica of {name}, {service.cpu:g} vCPU and {service.memory} MiB,"
                " besides the system",
            )


def _too_few(known: InstanceType, services: Mapping[str, Service], most: int) -> Iterator[Contradiction]:
    """More replicas than `most` instances can hold. A rollout starts a new replica before it stops an old one."""
    needed = FLEET.needs(known, [(each, each.replicas.max) for each in services.values()], spare=1)
    replicas = 1 + sum(each.replicas.max for each in services.values())
    scarce = max(needed, key=lambda what: needed[what])
    instances = whole(needed[scarce])
    if instances > most:
        yield (
            "max",
            most,
            f"{instances} or more, or larger types: {replicas} replicas, one of them for a rollout, need as many"
            f" for their {scarce}",
        )
