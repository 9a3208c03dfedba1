"""The instances of a swarm on EC2: managers with fixed addresses, workers in a group, and what lets them join."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Generic, Literal, Self, TypeVar

import pulumi
from pydantic import Field

from components import dynamic, quotas
from components.aws import iam, instances
from components.aws.fleet import (
    INSTANCE_TYPES,
    SMALL,
    Ami,
    Architecture,
    Fleet,
    TypeName,
    architecture,
    least,
    on_demand,
    whole,
)
from components.aws.network import Group
from components.cost import Demand
from components.model import Contradiction
from components.needs import Need, Quota
from components.orchestrator import AwsOrchestrator, OrchestratorOptions
from components.orchestrator.swarm import overlay_addresses
from components.orchestrator.swarm_parts.boot import PORTS, TAG, UNSET, user_data
from components.sdk import aws
from components.service import Service

IMAGES: Mapping[Architecture, str] = {
    "x86_64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "arm64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
}
"""AWS's public parameters with the newest Amazon Linux 2023, which has the SSM agent and the AWS CLI."""
FLEET = Fleet(keeps_memory=300)
"""What the system and the engine keep of a node."""
LEAST_DISK = 8
"""GiB that the image of Amazon Linux 2023 wants."""
ROLES = ("manager", "worker")
AGENT = (
    *("ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
    *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "ec2messages:AcknowledgeMessage"),
    *("ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint"),
    *("ec2messages:GetMessages", "ec2messages:SendReply"),
)
"""What the SSM agent needs for commands. AWS's managed policy (AmazonSSMManagedInstanceCore) also reads every parameter
of the account, and so the managers' token, which is not for workers."""


class NodeOptions(OrchestratorOptions):
    """What is said of the nodes."""

    instance_type: TypeName = Field(default=SMALL["x86_64"], description="EC2 instance type of every node.")
    managers: Literal[1, 3] | None = Field(
        default=None,
        description="Nodes that manage the swarm, and run replicas, too: 1, or 3, of which one may be lost. Unset:"
        " 3 with `protect` (preset production), otherwise 1.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Nodes besides the managers. An Auto Scaling group keeps their number.",
    )
    disk: int = Field(default=30, ge=LEAST_DISK, le=1000, description="Root volume of each node, in GiB; encrypted.")
    ami: Ami | None = Field(
        default=None,
        description="Image of the nodes, an Amazon Linux 2023. Unset: AWS's newest when a node is made; it stays. A"
        " new value replaces the nodes one by one.",
    )

    def managers_there(self, protect: bool) -> int:
        """How many managers there are."""
        return self.managers or (3 if protect else 1)

    def nodes(self, protect: bool) -> int:
        """How many nodes there are."""
        return self.managers_there(protect) + self.workers

    def addresses(self, protect: bool) -> int:
        return self.managers_there(protect)

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield overlay_addresses(services, self.nodes(protect))
        if self.workers:
            yield Quota(quotas.GROUPS_OF_WORKERS, sum(each.public for each in services.values()))
        if known := least([self.instance_type]):
            yield on_demand(known.vcpu * self.nodes(protect))

    def sized(self, demand: Demand) -> tuple[str, Decimal]:
        """The type of the nodes, and how many of it there are."""
        kind = self.instance_type
        for service in demand.services.values():
            if architecture(kind) != service.architecture:
                kind = SMALL[service.architecture]
            kind = FLEET.type_for(kind, [service])
        nodes = self.nodes(demand.protect)
        if known := least([kind]):
            replicas = [(each, float(demand.replicas(name))) for name, each in demand.services.items()]
            nodes = max(nodes, whole(FLEET.needs(known, [*replicas, *_for_an_update(demand.services)])["memory"]))
        return kind, Decimal(nodes)

    def too_small(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """Replicas that the nodes have no memory for. An update starts a new replica before it stops an old one."""
        known = least([self.instance_type])
        if known is None or not services:
            return
        for name, service in services.items():
            if not FLEET.holds(known, service):
                yield (
                    "instance-type",
                    self.instance_type,
                    f"a type with room for a replica of {name}, {service.cpu:g} vCPU and {service.memory} MiB,"
                    " besides the system",
                )
        nodes, room = self.nodes(protect), known.memory - FLEET.keeps_memory
        replicas = [(each, float(each.replicas.min)) for each in services.values()]
        needed = FLEET.needs(known, [*replicas, *_for_an_update(services)])["memory"]
        spare = max(each.memory for each in services.values())
        if whole(needed) > nodes and spare <= room:
            yield (
                "workers",
                self.workers,
                f"more or larger nodes: {nodes} x {self.instance_type} have {room * nodes} MiB for replicas, which take"
                f" {round(needed * room) - spare} MiB, and {spare} MiB more during an update",
            )

    def smaller(self, services: Mapping[str, Service]) -> Iterator[Self]:
        wanted = {each.architecture for each in services.values()}
        kind = self.instance_type if architecture(self.instance_type) in wanted else SMALL[min(wanted, default="arm64")]
        for size in ("micro", "small", "medium"):  # a nano holds little besides the system and the engine
            if (name := f"{kind.partition('.')[0]}.{size}") in INSTANCE_TYPES:
                yield self.model_copy(update={"instance_type": name, "disk": LEAST_DISK})

    def bears(self, services: Mapping[str, Service], protect: bool, memory: int) -> Iterator[Contradiction]:
        if self.managers_there(protect) != 1:
            yield (
                "managers",
                self.managers,
                "1 with an edge on its instance: a fixed address is one instance's, and callers come to that alone",
            )
        known = least([self.instance_type])
        if known is None or not services or any(self.too_small(services, protect)):
            return
        room = (known.memory - FLEET.keeps_memory) * self.nodes(protect)
        replicas = sum(each.memory * each.replicas.min for each in services.values())
        needed = replicas + sum(each.memory * round(count) for each, count in _for_an_update(services))
        if needed + memory > room:
            yield (
                "instance-type",
                self.instance_type,
                f"a larger type: {room} MiB are for replicas, which take {needed} MiB with one more during an update,"
                f" and the edge on the instance takes {memory} MiB",
            )


def _for_an_update(services: Mapping[str, Service]) -> list[tuple[Service, float]]:
    """The replica that must fit besides: an update starts a new one before it stops an old one."""
    return [(max(services.values(), key=lambda each: each.memory), 1.0)] if services else []


class Manager(dynamic.Resource, module="swarm", name="Manager"):
    """An instance that is a manager of the swarm; gone, it was one no more before its instance went."""

    kept_by = "components.orchestrator.swarm_nodes:ManagerProvider"


class Cluster(dynamic.Resource, module="swarm", name="Cluster"):
    """The swarm that the managers keep."""

    kept_by = "components.orchestrator.swarm_nodes:ClusterProvider"
    swarm: pulumi.Output[str]
    """Its id."""


N = TypeVar("N", bound=NodeOptions)


class Nodes(Generic[N]):
    """All nodes of the swarm of one orchestrator, whose children they are."""

    def __init__(self, parent: AwsOrchestrator[N], host: str) -> None:
        """The managers, one after the other; then the swarm's identity, and the workers."""
        self.parent, self.args, self.options, self.host = parent, parent.args, parent.options, host
        self.region, self.network, self.vault = parent.region, parent.network, parent.vault
        child, stack = pulumi.ResourceOptions(parent=parent), self.args.stack
        # AWS keeps names that begin with these two to itself (SSM API, PutParameter).
        self.prefix = (
            f"/{self.options.key}/{stack}" if stack.startswith(("aws", "ssm")) else f"/{stack}/{self.options.key}"
        )
        self.group = self._security_group(child)
        self.managers = self._managers(child)
        self.cluster = Cluster(
            self.options.key,
            {"host": self.host, "managers": [each.id for each in self.managers], "swarm": None},
            pulumi.ResourceOptions(parent=parent, depends_on=[self.joined]),
        )
        self.workers = self._workers() if self.options.workers else None

    def _profile(
        self, role: str, *statements: iam.Statement
    ) -> tuple[aws.iam.Role, aws.iam.InstanceProfile, pulumi.Resource]:
        """A role for instances, how they get it, and what it allows from the start: commands by SSM, logs, and
        `statements`. Patterns say what services need: a role has room for 10,240 characters, whatever their number."""
        child = pulumi.ResourceOptions(parent=self.parent)
        made = aws.iam.Role(f"{self.options.key}-{role}", assume_role_policy=iam.trust("ec2.amazonaws.com"), opts=child)
        streams = pulumi.Output.concat(self.vault.log_group_arn, f":log-stream:*/{self.options.key}/*")
        policy = aws.iam.RolePolicy(
            role,
            role=made.name,
            policy=iam.document(
                iam.allow(AGENT, ["*"]),  # AWS defines no resource for them
                iam.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [streams]),
                *statements,
            ),
            opts=child,
        )
        return made, aws.iam.InstanceProfile(f"{self.options.key}-{role}", role=made.name, opts=child), policy

    def _security_group(self, child: pulumi.ResourceOptions) -> Group:
        """Nodes talk to each other, by Swarm's ports alone; services open theirs to the load balancer."""
        name = f"{self.options.key}--nodes"  # no service's name has two dashes in a row, so none is called like this
        group = self.network.group(name, f"Nodes of {self.options.key}", child)
        why = "Swarm, from node to node"
        opened = [
            self.network.let_in(f"{name}-{protocol}-{port}", group, group.id, why, (port, port), child, protocol)
            for protocol, port in PORTS
        ]
        self.rules = [*group.ready, *chain.from_iterable(opened)]
        return group

    def _managers(self, child: pulumi.ResourceOptions) -> list[aws.ec2.Instance]:
        """The managers. Each waits until the one before it has joined, so that no two are ever replaced at once."""
        subnets = self.network.workload_subnets
        count = self.options.managers_there(self.args.protect)
        if 1 < count > len(subnets):
            pulumi.log.warn(
                f"{count} managers in {len(subnets)} zones: when the zone with two of them is lost, nothing on the"
                " swarm can be changed until it is back (its replicas elsewhere go on); set `zones` to 3",
                self.parent,
            )
        homes = [self._address(index, subnets[index % len(subnets)]) for index in range(count)]
        self.public = [address.public_ip for *_, way_out in homes for address in way_out]
        known = self._parameter(
            "managers", "StringList", pulumi.Output.all(*[ip for _, ip, _ in homes]).apply(",".join)
        )
        tokens = {role: self._parameter(f"{role}-token", "SecureString", pulumi.Output.secret(UNSET)) for role in ROLES}
        self.manager_role, profile, self.may_manage = self._profile(
            "manager",
            iam.allow(["ssm:GetParameter"], [known.arn, *[each.arn for each in tokens.values()]]),
            iam.allow(["ssm:PutParameter"], [each.arn for each in tokens.values()]),
            *self.vault.decrypting,
        )
        self.may_work = iam.allow(["ssm:GetParameter"], [known.arn, tokens["worker"].arn])
        self.joined: pulumi.Resource = known
        made = []
        for index, (interface, address, way_out) in enumerate(homes):
            before = [self.joined, self.may_manage, *way_out, *self.rules, *self.network.ready]
            instance = self._manager(index, interface, profile, before)
            made.append(instance)
            self.joined = Manager(
                f"manager-{index}",
                {"host": self.host, "address": address, "instance": instance.id},
                child,
            )
        return made

    def _parameter(self, name: str, kind: str, value: pulumi.Input[str]) -> aws.ssm.Parameter:
        """What nodes look up when they start. Tokens are written there by the first manager."""
        return aws.ssm.Parameter(
            f"{self.options.key}-{name}",
            name=f"{self.prefix}/{name}",
            type=kind,
            value=value,
            opts=pulumi.ResourceOptions(
                parent=self.parent, ignore_changes=["value"] if kind == "SecureString" else None
            ),
        )

    def _address(
        self, index: int, subnet: pulumi.Output[str]
    ) -> tuple[aws.ec2.NetworkInterface, pulumi.Output[str], list[aws.ec2.Eip]]:
        """An interface whose address outlives the instance on it, and its way out in a public subnet."""
        child = pulumi.ResourceOptions(parent=self.parent)
        interface = aws.ec2.NetworkInterface(
            f"manager-{index}", subnet_id=subnet, security_groups=[self.group.id], opts=child
        )
        if not self.network.public_ip:
            return interface, interface.private_ip, []
        public = aws.ec2.Eip(
            f"manager-{index}",
            domain="vpc",
            network_interface=interface.id,  # an interface made beforehand gets no public address by itself
            opts=pulumi.ResourceOptions(parent=self.parent, depends_on=self.network.ready),
        )
        return interface, interface.private_ip, [public]

    def _manager(
        self,
        index: int,
        interface: aws.ec2.NetworkInterface,
        profile: aws.iam.InstanceProfile,
        before: list[pulumi.Resource],
    ) -> aws.ec2.Instance:
        """One manager's instance."""
        # AWS publishes an image every few weeks, and this project another script now and then. Neither may replace
        # managers by the way, with the next `up`; an image that is asked for does.
        kept = None if self.options.ami else ["ami", "userData"]
        return aws.ec2.Instance(
            f"manager-{index}",
            ami=instances.image(self.options.ami, self._parameter_of_image, self.parent),
            instance_type=self.options.instance_type,
            primary_network_interface={"network_interface_id": interface.id},
            iam_instance_profile=profile.name,
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(**instances.METADATA),
            root_block_device={"encrypted": True, "volume_type": "gp3", "volume_size": self.options.disk},
            user_data=user_data("manager" if index else "first", self.region, self.prefix),
            user_data_replace_on_change=True,
            tags={"Name": f"{self.args.stack}-{self.options.key}-manager-{index}", TAG: self.args.stack},
            opts=pulumi.ResourceOptions(
                parent=self.parent,
                depends_on=before,
                delete_before_replace=True,  # an interface is on one instance at a time
                ignore_changes=kept,
            ),
        )

    def _workers(self) -> aws.autoscaling.Group:
        """The nodes that only run replicas."""
        _, profile, may_join = self._profile("worker", self.may_work)
        script = user_data("worker", self.region, self.prefix)
        template = instances.template(
            f"{self.options.key}-worker",
            self.parent,
            ami=self.options.ami,
            parameter=self._parameter_of_image,
            profile=profile,
            group=self.group.id,
            disk=self.options.disk,
            public_ip=self.network.public_ip,
            user_data=base64.b64encode(script.encode()).decode(),
        )
        return aws.autoscaling.Group(
            f"{self.options.key}-worker",
            min_size=self.options.workers,
            max_size=self.options.workers,
            vpc_zone_identifiers=self.network.workload_subnets,
            mixed_instances_policy={"launch_template": instances.launched(template, [self.options.instance_type])},
            instance_refresh={
                "strategy": "Rolling",
                "preferences": {"min_healthy_percentage": 100, "max_healthy_percentage": 110},
            },
            tags=[
                {"key": "Name", "value": f"{self.args.stack}-{self.options.key}-worker", "propagate_at_launch": True}
            ],
            opts=pulumi.ResourceOptions(
                parent=self.parent, depends_on=[self.cluster, may_join, *self.rules, *self.network.ready]
            ),
        )

    @property
    def _parameter_of_image(self) -> str:
        """AWS's public parameter that names the nodes' image."""
        return IMAGES[architecture(self.options.instance_type)]
