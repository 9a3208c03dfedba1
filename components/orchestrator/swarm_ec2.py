"""Docker Swarm on EC2 instances of the account's own: managers with fixed addresses, workers in a group.

Nobody logs in: services are made through a manager's engine by Systems Manager, with the code of the local swarm.
Why it is so, and what it costs: docs/decisions/0012-swarm-on-ec2.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pulumi
from pydantic import Field

from components.aws import iam, parts
from components.aws.fleet import architecture
from components.cost import Demand, Item, Note, secrets
from components.cost import instances as rented
from components.docker_host import Port
from components.edge import Place
from components.model import Contradiction
from components.orchestrator import HONOURED, AwsOrchestrator, aws_logs, refused, translated
from components.orchestrator.swarm import (
    PLATFORMS,
    Network,
    Secret,
    SwarmOptions,
    SwarmRuntime,
    SwarmService,
    spec,
    unsaid,
)
from components.orchestrator.swarm_parts.boot import PORTS
from components.orchestrator.swarm_parts.nodes import NodeOptions, Nodes
from components.pull import Anonymous, AwsRole, Login, Pull
from components.sdk import aws
from components.service import Name, Service, of_no_service
from components.workload import Address, Image, Registration, Target, Workload

FIRST_PORT, LAST_PORT = 20_000, 29_999
"""Published ports that nobody chose: below those of outgoing connections (32768 on) and of NodePorts."""


class SwarmEc2Options(NodeOptions):
    """`swarm-ec2`."""

    key = "swarm-ec2"
    platform = "aws"
    aws_access = parts.SWARM
    longest_up = 2 * 60 * 60  # three managers, one after the other, have JOINING each
    target = "instance"
    pulls_by = (Anonymous, AwsRole, Login)
    renews = True
    operated_by = "components.operations.swarm_ec2:OnSwarmEc2"
    verbs = {
        **SwarmOptions.verbs,
        "logs": translated("the stack's log group in CloudWatch: also what other orchestrators wrote there"),
        "exec": refused(
            "nobody logs in to its nodes, and Systems Manager's commands have no terminal; `yard run` runs the command"
            " beside the replicas"
        ),
    }
    vpc_endpoints = frozenset({"ec2messages", "logs", "secretsmanager", "ssm", "ssmmessages"})
    capabilities = {
        **SwarmOptions.capabilities,
        "port": translated("published on every node under a port of its own; callers see the load balancer's"),
        "autoscaling": refused("Swarm has no autoscaler; give replicas as one number"),
        "health": translated(
            "the image's own HEALTHCHECK tells Swarm; the load balancer asks the path through every node"
        ),
        "path": translated("listener rule"),
        "permissions": refused("Swarm gives no replica a role of its own; the nodes' role would be every service's"),
        "host": translated("listener rule"),
        "public": HONOURED,
    }

    ports: dict[Name, Port] = Field(
        default={},
        description=f"A map of service to the port at which every node answers. Unset: a port from {FIRST_PORT} to"
        f" {LAST_PORT} that follows from the name. Callers never see it.",
    )
    timeout: int = Field(
        default=300, ge=10, le=3600, description="Seconds in which all replicas of a service must be healthy."
    )

    def port(self, service: str) -> int:
        """The published port of a service."""
        digits = int.from_bytes(hashlib.sha256(service.encode()).digest()[:4], "big")
        return self.ports.get(service, FIRST_PORT + digits % (LAST_PORT - FIRST_PORT + 1))

    def registers(self, name: str, service: Service, stack: str, protect: bool) -> Registration | None:
        """The port under which every node publishes the service: all answer for it, wherever the replicas are."""
        registration = super().registers(name, service, stack, protect)
        nodes = self.nodes(protect)
        return registration and replace(registration, port=self.port(name), nodes=nodes)

    def notes(self, services: Mapping[str, Service]) -> Iterator[str]:
        yield from unsaid(services)

    def logs(self, stack: str, service: str) -> str:
        return aws_logs.follow(stack, f"{service}/{self.key}")

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """Ports that two services would take, and nodes that replicas do not run or fit on."""
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
        if self.ami and self.managers_there(protect) > 1 and not self.workers:
            yield (
                "workers",
                self.workers,
                "at least 1 where `ami` is given: a new image replaces the managers one by one, and they are targets of"
                " the load balancer again only when all are done",
            )
        yield from self.too_small(services, protect)

    def pulls(self, service: str, demand: Demand) -> Decimal:
        """Once for each node that has replicas."""
        return min(demand.replicas(service), self.sized(demand)[1])

    def costs(self, demand: Demand) -> Iterator[Item]:
        """The nodes: those that are configured, or as many as the replicas need."""
        kind, count = self.sized(demand)
        yield from rented("nodes", kind, count, self.disk, demand)
        yield from secrets(demand)
        if kind != self.instance_type or count != self.nodes(demand.protect):
            yield Note(f"the replicas need {count} nodes of type {kind}, so these are priced")


class SwarmEc2(AwsOrchestrator[SwarmEc2Options], SwarmRuntime[SwarmEc2Options]):
    """Instances that are a swarm, an overlay network, and a Swarm service for each service."""

    token = "switchyard:orchestrator:SwarmEc2"
    publish = "ingress"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        """The nodes, which are a swarm, and an overlay network."""
        self.host = f"ssm://{self.region}/{self.args.stack}"
        self.nodes = Nodes(self, self.host)
        self.opened: dict[tuple[int, int], list[pulumi.Resource]] = {}
        self.may_pull: dict[tuple[pulumi.Input[str], ...], pulumi.Resource] = {}
        self.overlay = Network(
            self.options.key,
            {**self.on_swarm, "prefix": self.args.stack, "encrypt": False},
            child,
        )
        self.place = next(map(self._place, self.nodes.public), None)
        return {"host": self.host, "swarm": self.nodes.cluster.swarm}

    @property
    def on_swarm(self) -> dict[str, pulumi.Input[str]]:
        """By what a resource on the swarm is reached, and of which swarm it is: on another one it is another."""
        return {"host": self.host, "swarm": self.nodes.cluster.swarm}

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        """A Swarm service, done when every replica is healthy; then every node joins the target group."""
        allowed = self._allow(name, image.pull)
        # A proxy on the instance finds the replicas on the overlay network, by name, and no port is opened for it.
        balanced = target if target and target.security_group_id else None
        opened = self._open(name, balanced) if balanced else []
        login, may_log_in = self._login(name, image)
        wanted = spec(self, name, service, image, self.options.port(name) if target else None)
        props = {
            **self.on_swarm,
            "name": f"{self.args.stack}-{name}",
            "spec": wanted,
            "login": login,
            "probe": "",
            "timeout": self.options.timeout,
        }
        before: list[pulumi.Resource] = [
            *([target.ready] if target else []),
            *([self.nodes.workers] if self.nodes.workers else []),
            *allowed,
            *may_log_in,
            *opened,
            *self.network.ready,
        ]
        released = self.release(name, service, image, props, before)
        dial = self.dial(name, service)
        opts = pulumi.ResourceOptions(
            parent=self, depends_on=[*before, *released], hooks=self.tried_on_both_ports(name, target, dial)
        )
        workload = SwarmService(name, props, opts)
        return Workload(
            healthy=(workload, *(self._join(name, balanced, workload) if balanced else ())),
            address=Address(workload.id.apply(lambda _: dial)),
        )

    def _place(self, address: pulumi.Output[str]) -> Place:
        """The manager's instance, where an edge can be a service of the swarm."""
        return Place(
            engine=self.on_swarm,
            host=self.host,
            network=self.overlay.id,
            cpu=PLATFORMS[architecture(self.options.instance_type)],
            logs=self.log_driver("--edge"),  # no service's name begins with a dash
            address=address,
            group=self.nodes.group,
            ask=self._ask,
        )

    def _ask(self, url: str, headers: Mapping[str, str]) -> str:
        from components.orchestrator.swarm_proxy import status  # only for a proxy's gate is docker-py loaded here

        return status(self.host, self.profile, url, headers)

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
        """The stack's log group. Without room in between, a slow log would hold the replica up."""
        options = {
            "awslogs-group": self.vault.log_group,
            "awslogs-region": self.region,
            "tag": f"{service}/{self.options.key}/{{{{.ID}}}}",
            "mode": "non-blocking",
            "max-buffer-size": "4m",
        }
        return {"Name": "awslogs", "Options": options}

    def _allow(self, name: str, pull: Pull) -> list[pulumi.Resource]:
        """What the managers need in order to pull a service's image. Workers pull with a login of theirs, which allows
        what the role may that asked for it (ECR API, GetAuthorizationToken)."""
        if not isinstance(pull, AwsRole):
            return []
        arns = pull.stack_arns or pull.arns
        if arns not in self.may_pull:
            self.may_pull[arns] = aws.iam.RolePolicy(
                "pull" if pull.stack_arns else f"{name}--pull",  # no service's name has two dashes in a row
                role=self.nodes.manager_role.name,
                policy=iam.document(*iam.pulling(replace(pull, arns=arns))),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # There was one for each service once, with its logs. The role may have no room for one more
                    # before they go, so the first becomes this one.
                    aliases=[pulumi.Alias(name=f"{name}--manager")],
                    depends_on=[self.nodes.may_manage],
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
            policy=iam.document({**reading, "Principal": {"AWS": self.nodes.manager_role.arn}}),
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

    def _open(self, name: str, target: Target) -> list[pulumi.Resource]:
        """The service's port, for the load balancer alone: with one rule for the whole range of ports that nobody
        chose, as a security group has room for 60 (VPC user guide, quotas)."""
        port = self.options.port(name)
        inside = FIRST_PORT <= port <= LAST_PORT
        ports = (FIRST_PORT, LAST_PORT) if inside else (port, port)
        if ports not in self.opened:
            rule, why = f"{self.options.key}--ports" if inside else name, "Services, from the load balancer"
            opts, source = pulumi.ResourceOptions(parent=self), target.security_group_id
            self.opened[ports] = self.network.let_in(rule, self.nodes.group, source, why, ports, opts)
        return self.opened[ports]

    def _join(self, name: str, target: Target, workload: pulumi.Resource) -> Iterator[pulumi.Resource]:
        """Every node becomes a target once the service runs, and is none any more before it goes."""
        opts = pulumi.ResourceOptions(parent=self, depends_on=[workload])
        for index, each in enumerate(self.nodes.managers):
            yield aws.lb.TargetGroupAttachment(
                f"{name}--{index}",
                target_group_arn=target.group,
                target_id=each.id,
                port=self.options.port(name),
                opts=opts,
            )
        if self.nodes.workers:
            yield aws.autoscaling.Attachment(
                name, autoscaling_group_name=self.nodes.workers.name, lb_target_group_arn=target.group, opts=opts
            )
