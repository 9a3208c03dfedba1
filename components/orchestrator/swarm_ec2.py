"""Docker Swarm on EC2 instances of the account's own: managers with fixed addresses, workers in a group.

Nobody logs in: services are made through a manager's engine by Systems Manager, with the code of the local swarm.
Why it is so, and what it costs: docs/decisions/0012-swarm-on-ec2.md.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import pulumi
from pydantic import Field

from components.aws import iam, instances
from components.aws.fleet import SMALL, Ami, Architecture, Fleet, TypeName, architecture, least, on_demand, whole
from components.cost import Demand, Item, Note, secrets
from components.cost import instances as rented
from components.model import Contradiction
from components.needs import Need
from components.orchestrator import HONOURED, AwsOrchestrator, OrchestratorOptions, aws_logs, refused, translated
from components.orchestrator.swarm import (
    Network,
    OnSwarm,
    Port,
    Secret,
    SwarmOptions,
    SwarmRuntime,
    SwarmService,
    spec,
)
from components.orchestrator.swarm_boot import PORTS, TAG, UNSET, user_data
from components.pull import Anonymous, AwsRole, Login, Pull
from components.sdk import aws
from components.service import Name, Service, of_no_service
from components.workload import Image, Registration, Target, Workload

IMAGES: Mapping[Architecture, str] = {
    "x86_64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "arm64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
}
"""AWS's public parameters with the newest Amazon Linux 2023, which has the SSM agent and the AWS CLI."""
FIRST_PORT, LAST_PORT = 20_000, 29_999
"""Published ports that nobody chose: below those of outgoing connections (32768 on) and of NodePorts."""
FLEET = Fleet(keeps_memory=300)
"""What the system and the engine keep of a node."""
ROLES = ("manager", "worker")
AGENT = (
    *("ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
    *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "ec2messages:AcknowledgeMessage"),
    *("ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint"),
    *("ec2messages:GetMessages", "ec2messages:SendReply"),
)
"""What the SSM agent needs for commands. AWS's managed policy (AmazonSSMManagedInstanceCore) also reads every parameter
of the account, and so the managers' token, which is not for workers."""


class SwarmEc2Options(OrchestratorOptions):
    """`switchyard:swarm-ec2`."""

    key = "swarm-ec2"
    platform = "aws"
    target = "instance"
    pulls_by = (Anonymous, AwsRole, Login)
    renews = True
    vpc_endpoints = frozenset({"ec2messages", "logs", "secretsmanager", "ssm", "ssmmessages"})
    capabilities = {
        **SwarmOptions.capabilities,
        "port": translated("published on every node under a port of its own; callers see the load balancer's"),
        "autoscaling": refused("Swarm has no autoscaler; give replicas as one number"),
        "health": translated(
            "the image's own HEALTHCHECK tells Swarm; the load balancer asks the path through every node"
        ),
        "path": translated("listener rule"),
        "host": translated("listener rule"),
        "public": HONOURED,
    }

    instance_type: TypeName = Field(default=SMALL["x86_64"], description="EC2 instance type of every node.")
    managers: Literal[1, 3] | None = Field(
        default=None,
        description="Managers: 3, of which one may be lost, or 1. Unset: 3 where `protect` is true, else 1."
        " They run copies too.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Nodes besides the managers, kept at this number by an Auto Scaling group.",
    )
    disk: int = Field(default=30, ge=8, le=1000, description="Root volume of each node, in GiB; encrypted.")
    ami: Ami | None = Field(
        default=None,
        description="Image of the nodes, an Amazon Linux 2023. Unset: AWS's newest when a node is made, kept from then"
        " on. A new value replaces the nodes one by one.",
    )
    ports: dict[Name, Port] = Field(
        default={},
        description=f"Port by service on which every node answers; by default one from {FIRST_PORT} to {LAST_PORT}"
        " that follows from the name. Callers never see it.",
    )
    timeout: int = Field(
        default=300, ge=10, le=3600, description="Seconds a service may take until all copies are healthy."
    )

    def port(self, service: str) -> int:
        """The published port of a service."""
        digits = int.from_bytes(hashlib.sha256(service.encode()).digest()[:4], "big")
        return self.ports.get(service, FIRST_PORT + digits % (LAST_PORT - FIRST_PORT + 1))

    def registers(self, name: str, service: Service, stack: str, protect: bool) -> Registration | None:
        """The port under which every node publishes the service: all answer for it, wherever the copies are."""
        registration = super().registers(name, service, stack, protect)
        nodes = _count(self, protect) + self.workers
        return registration and replace(registration, port=self.port(name), nodes=nodes)

    def logs(self, stack: str, service: str) -> str:
        return aws_logs.follow(stack, f"{service}/{self.key}")

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """Ports that two services would take, and nodes that copies do not run or fit on."""
        taken: dict[int, str] = {port: "the swarm itself" for _, port in PORTS}
        yield from of_no_service("ports", self.ports, services)
        for name, service in services.items():
            port = self.port(name)
            if service.public and (other := taken.setdefault(port, name)) != name:
                yield f"ports.{name}", port, f"another port than that of {other}, which every node has open already"
            if service.architecture != architecture(self.instance_type):
                yield (
                    "instance-type",
                    self.instance_type,
                    f"a type of {service.architecture} for {name}; every node is of one type",
                )
        if self.ami and _count(self, protect) > 1 and not self.workers:
            yield (
                "workers",
                self.workers,
                "at least 1 where `ami` is given: a new image replaces the managers one by one, and they are targets of"
                " the load balancer again only when all are done",
            )
        yield from _too_small(self, services, protect)

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        if known := least([self.instance_type]):
            yield on_demand(known.vcpu * (_count(self, protect) + self.workers))

    def pulls(self, service: str, demand: Demand) -> Decimal:
        """Once for each node that has copies."""
        return min(demand.copies(service), self._sized(demand)[1])

    def costs(self, demand: Demand) -> Iterator[Item]:
        """The nodes: those that are configured, or as many as the copies need."""
        kind, count = self._sized(demand)
        yield from rented("nodes", kind, count, self.disk, demand)
        yield from secrets(demand)
        if kind != self.instance_type or count != _count(self, demand.protect) + self.workers:
            yield Note(f"swarm-ec2 is priced with {count} nodes {kind}, as the copies need them")

    def _sized(self, demand: Demand) -> tuple[str, Decimal]:
        """The type of the nodes, and how many of it there are."""
        kind = self.instance_type
        for service in demand.services.values():
            if architecture(kind) != service.architecture:
                kind = SMALL[service.architecture]
            kind = FLEET.type_for(kind, [service])
        nodes = _count(self, demand.protect) + self.workers
        if known := least([kind]):
            copies = [(each, float(demand.copies(name))) for name, each in demand.services.items()]
            nodes = max(nodes, whole(FLEET.needs(known, [*copies, *_for_an_update(demand.services)])["memory"]))
        return kind, Decimal(nodes)


class Manager(OnSwarm, module="swarm", name="Manager"):
    """An instance that is a manager of the swarm; gone, it was one no more before its instance went."""

    kept_by = "components.orchestrator.swarm_nodes:ManagerProvider"


class Cluster(OnSwarm, module="swarm", name="Cluster"):
    """The swarm that the managers keep."""

    kept_by = "components.orchestrator.swarm_nodes:ClusterProvider"
    swarm: pulumi.Output[str]
    """Its id."""


class SwarmEc2(AwsOrchestrator[SwarmEc2Options], SwarmRuntime[SwarmEc2Options]):
    """Instances that are a swarm, an overlay network, and a Swarm service for each service."""

    token = "switchyard:orchestrator:SwarmEc2"
    publish = "ingress"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        """The managers, one after the other; then the swarm's identity, the workers and an overlay network."""
        self.host = f"ssm://{self.region}/{self.args.stack}"
        stack = self.args.stack
        # AWS keeps names that begin with these two to itself (SSM API, PutParameter).
        self.prefix = (
            f"/{self.options.key}/{stack}" if stack.startswith(("aws", "ssm")) else f"/{stack}/{self.options.key}"
        )
        self.may_pull: dict[tuple[pulumi.Input[str], ...], pulumi.Resource] = {}
        self.nodes = self._security_group(child)
        self.managers = self._managers(child)
        self.cluster = Cluster(
            self.options.key,
            {"host": self.host, "managers": [each.id for each in self.managers], "swarm": None},
            pulumi.ResourceOptions(parent=self, depends_on=[self.joined]),
        )
        self.workers = self._workers() if self.options.workers else None
        self.overlay = Network(
            self.options.key,
            {**self.on_swarm, "prefix": self.args.stack, "encrypt": False},
            child,
        )
        return {"host": self.host, "swarm": self.cluster.swarm}

    @property
    def on_swarm(self) -> dict[str, pulumi.Input[str]]:
        """By what a resource on the swarm is reached, and of which swarm it is: on another one it is another."""
        return {"host": self.host, "swarm": self.cluster.swarm}

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        """A Swarm service, done when every copy is healthy; then every node joins the target group."""
        allowed = self._allow(name, image.pull)
        opened = [self._open(name, target)] if target else []
        login, may_log_in = self._login(name, image)
        wanted = spec(self, name, service, image, self.options.port(name) if target else None)
        workload = SwarmService(
            name,
            {
                **self.on_swarm,
                "name": f"{self.args.stack}-{name}",
                "spec": wanted,
                "login": login,
                "probe": "",
                "timeout": self.options.timeout,
            },
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    *([target.ready] if target else []),
                    *([self.workers] if self.workers else []),
                    *allowed,
                    *may_log_in,
                    *opened,
                    *self.network.ready,
                ],
            ),
        )
        return Workload(healthy=(workload, *(self._join(name, target, workload) if target else ())))

    def secret(self, service: str, variable: str, value: str) -> Secret:
        """The Swarm secret behind one variable of one service; the manager fetches the value from Secrets Manager."""
        reference, may_read = self._kept(service, variable, pulumi.Output.secret(value))
        return Secret(
            f"{service}-{variable}",
            {
                **self.on_swarm,
                "stack": self.args.stack,
                "prefix": f"{self.args.stack}-{service}-{variable}",
                "value": reference,
                "name": None,
            },
            pulumi.ResourceOptions(parent=self, depends_on=[may_read]),
        )

    def log_driver(self, service: str) -> dict[str, Any]:
        """The stack's log group. Without room in between, a slow log would hold the copy up."""
        options = {
            "awslogs-group": self.vault.log_group,
            "awslogs-region": self.region,
            "tag": f"{service}/{self.options.key}/{{{{.ID}}}}",
            "mode": "non-blocking",
            "max-buffer-size": "4m",
        }
        return {"Name": "awslogs", "Options": options}

    def _profile(
        self, role: str, *statements: iam.Statement
    ) -> tuple[aws.iam.Role, aws.iam.InstanceProfile, pulumi.Resource]:
        """A role for instances, how they get it, and what it allows from the start: commands by SSM, logs, and
        `statements`. Patterns say what services need: a role has room for 10,240 characters, whatever their number."""
        child = pulumi.ResourceOptions(parent=self)
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

    def _security_group(self, child: pulumi.ResourceOptions) -> aws.ec2.SecurityGroup:
        """Nodes talk to each other, by Swarm's ports alone; services open theirs to the load balancer."""
        name = f"{self.options.key}--nodes"  # no service's name has two dashes in a row, so none is called like this
        group, out = self.network.group(name, f"Nodes of {self.options.key}", child)
        self.rules: list[pulumi.Resource] = [out]
        self.rules += [
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-{protocol}-{port}",
                security_group_id=group.id,
                referenced_security_group_id=group.id,
                ip_protocol=protocol,
                from_port=port,
                to_port=port,
                opts=child,
            )
            for protocol, port in PORTS
        ]
        return group

    def _managers(self, child: pulumi.ResourceOptions) -> list[aws.ec2.Instance]:
        """The managers. Each waits until the one before it has joined, so that no two are ever replaced at once."""
        subnets = self.network.workload_subnets
        count = _count(self.options, self.args.protect)
        if 1 < count > len(subnets):
            pulumi.log.warn(
                f"{count} managers in {len(subnets)} zones: when the zone with two of them is lost, nothing on the"
                " swarm can be changed until it is back (its copies elsewhere go on); set `zones` to 3",
                self,
            )
        homes = [self._address(index, subnets[index % len(subnets)]) for index in range(count)]
        known = self._parameter(
            "managers", "StringList", pulumi.Output.all(*[ip for _, ip, _ in homes]).apply(",".join)
        )
        tokens = {role: self._parameter(f"{role}-token", "SecureString", pulumi.Output.secret(UNSET)) for role in ROLES}
        self.manager_role, profile, self.may_manage = self._profile(
            "manager",
            iam.allow(["ssm:GetParameter"], [known.arn, *[each.arn for each in tokens.values()]]),
            iam.allow(["ssm:PutParameter"], [each.arn for each in tokens.values()]),
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
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["value"] if kind == "SecureString" else None),
        )

    def _address(
        self, index: int, subnet: pulumi.Output[str]
    ) -> tuple[aws.ec2.NetworkInterface, pulumi.Output[str], list[pulumi.Resource]]:
        """An interface whose address outlives the instance on it, and its way out in a public subnet."""
        child = pulumi.ResourceOptions(parent=self)
        interface = aws.ec2.NetworkInterface(
            f"manager-{index}", subnet_id=subnet, security_groups=[self.nodes.id], opts=child
        )
        if not self.network.public_ip:
            return interface, interface.private_ip, []
        public = aws.ec2.Eip(
            f"manager-{index}",
            domain="vpc",
            network_interface=interface.id,  # an interface made beforehand gets no public address by itself
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.network.ready),
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
            ami=instances.image(self.options.ami, self._parameter_of_image, self),
            instance_type=self.options.instance_type,
            primary_network_interface={"network_interface_id": interface.id},
            iam_instance_profile=profile.name,
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(**instances.METADATA),
            root_block_device={"encrypted": True, "volume_type": "gp3", "volume_size": self.options.disk},
            user_data=user_data("manager" if index else "first", self.region, self.prefix),
            user_data_replace_on_change=True,
            tags={"Name": f"{self.args.stack}-{self.options.key}-manager-{index}", TAG: self.args.stack},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=before,
                delete_before_replace=True,  # an interface is on one instance at a time
                ignore_changes=kept,
            ),
        )

    def _workers(self) -> aws.autoscaling.Group:
        """The nodes that only run copies."""
        _, profile, may_join = self._profile("worker", self.may_work)
        script = user_data("worker", self.region, self.prefix)
        template = instances.template(
            f"{self.options.key}-worker",
            self,
            ami=self.options.ami,
            parameter=self._parameter_of_image,
            profile=profile,
            group=self.nodes,
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
                parent=self, depends_on=[self.cluster, may_join, *self.rules, *self.network.ready]
            ),
        )

    @property
    def _parameter_of_image(self) -> str:
        """AWS's public parameter that names the nodes' image."""
        return IMAGES[architecture(self.options.instance_type)]

    def _allow(self, name: str, pull: Pull) -> list[pulumi.Resource]:
        """What the managers need in order to pull a service's image. Workers pull with a login of theirs, which allows
        what the role may that asked for it (ECR API, GetAuthorizationToken)."""
        if not isinstance(pull, AwsRole):
            return []
        arns = pull.stack_arns or pull.arns
        if arns not in self.may_pull:
            self.may_pull[arns] = aws.iam.RolePolicy(
                "pull" if pull.stack_arns else f"{name}--pull",  # no service's name has two dashes in a row
                role=self.manager_role.name,
                policy=iam.document(*iam.pulling(replace(pull, arns=arns))),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # There was one for each service once, with its logs. The role may have no room for one more
                    # before they go, so the first becomes this one.
                    aliases=[pulumi.Alias(name=f"{name}--manager")],
                    depends_on=[self.may_manage],
                ),
            )
        return [self.may_pull[arns]]

    def _kept(self, service: str, what: str, value: pulumi.Output[str]) -> tuple[pulumi.Output[str], pulumi.Resource]:
        """A value in Secrets Manager: the reference to it, and the managers' permission to read it. The secret has it:
        the managers' role has no room for many, and no pattern fits, as secrets are named at random."""
        arn, reference = self.vault.secret(service, what, value)
        reading = iam.allow(["secretsmanager:GetSecretValue"], ["*"])  # in a secret's own policy: this secret
        may_read = aws.secretsmanager.SecretPolicy(
            f"{service}--{what}",
            secret_arn=arn,
            policy=iam.document({**reading, "Principal": {"AWS": self.manager_role.arn}}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return reference, may_read

    def _login(self, name: str, image: Image) -> tuple[dict[str, pulumi.Input[str]] | None, list[pulumi.Resource]]:
        """Where the manager finds the login that it hands to the nodes, and its permission; None: anyone may pull."""
        if isinstance(image.pull, AwsRole):
            return {"from": f"ecr:{self.region}"}, []
        if not isinstance(image.pull, Login):
            return None, []
        login = pulumi.Output.json_dumps({"username": image.pull.username, "password": image.pull.password})
        reference, may_read = self._kept(name, "registry-login", pulumi.Output.secret(login))
        return {"from": reference}, [may_read]

    def _open(self, name: str, target: Target) -> pulumi.Resource:
        """The service's port, for the load balancer alone."""
        port = self.options.port(name)
        return aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=self.nodes.id,
            referenced_security_group_id=target.security_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _join(self, name: str, target: Target, workload: pulumi.Resource) -> Iterator[pulumi.Resource]:
        """Every node becomes a target once the service runs, and is none any more before it goes."""
        opts = pulumi.ResourceOptions(parent=self, depends_on=[workload])
        for index, each in enumerate(self.managers):
            yield aws.lb.TargetGroupAttachment(
                f"{name}--{index}",
                target_group_arn=target.group_arn,
                target_id=each.id,
                port=self.options.port(name),
                opts=opts,
            )
        if self.workers:
            yield aws.autoscaling.Attachment(
                name, autoscaling_group_name=self.workers.name, lb_target_group_arn=target.group_arn, opts=opts
            )


def _count(options: SwarmEc2Options, protect: bool) -> int:
    """How many managers there are."""
    return options.managers or (3 if protect else 1)


def _too_small(options: SwarmEc2Options, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
    """Copies that the nodes have no memory for. An update starts a new copy before it stops an old one."""
    known = least([options.instance_type])
    if known is None or not services:
        return
    for name, service in services.items():
        if not FLEET.holds(known, service):
            yield (
                "instance-type",
                options.instance_type,
                f"a type with room for a copy of {name}, {service.cpu:g} vCPU and {service.memory} MiB,"
                " besides the system",
            )
    nodes, room = _count(options, protect) + options.workers, known.memory - FLEET.keeps_memory
    copies = [(each, float(each.replicas.min)) for each in services.values()]
    needed = FLEET.needs(known, [*copies, *_for_an_update(services)])["memory"]
    spare = max(each.memory for each in services.values())
    if whole(needed) > nodes and spare <= room:
        yield (
            "workers",
            options.workers,
            f"more or larger nodes: {nodes} x {options.instance_type} have {room * nodes} MiB for copies, which take"
            f" {round(needed * room) - spare} MiB, and {spare} MiB more during an update",
        )


def _for_an_update(services: Mapping[str, Service]) -> list[tuple[Service, float]]:
    """The copy that must fit besides: an update starts a new one before it stops an old one."""
    return [(max(services.values(), key=lambda each: each.memory), 1.0)] if services else []
