"""Amazon ECS on Fargate: copies without hosts to design, run or secure."""

import json
import math
from collections.abc import Iterator
from typing import Any, cast

import pulumi
import pulumi_aws as aws
from pydantic import Field

from components import iam
from components.edge import DEREGISTRATION_DELAY, Target
from components.model import Model
from components.network import ANYWHERE
from components.orchestrator import HONOURED, Image, Orchestrator, Workload, translated
from components.registry import Anonymous, AwsRole, Login
from components.service import Service

MINUTES = pulumi.CustomTimeouts(create="15m", update="15m", delete="20m")
"""A first deployment has nothing to roll back to and would be retried for ever; this ends it, and the `up` with it."""


class EcsFargateOptions(Model):
    """`switchyard:ecs-fargate`."""

    cluster: str | None = Field(default=None, description="ARN of a cluster that exists; Switchyard then makes none.")
    spot: bool = Field(
        default=False,
        description="Run what is above the first copy on Fargate Spot: cheaper, but AWS may take it back.",
    )


class EcsFargate(Orchestrator):
    """A cluster, and for each service a task definition, two roles and a service in it."""

    key = "ecs-fargate"
    token = "switchyard:orchestrator:EcsFargate"
    Options = EcsFargateOptions
    target = "ip"
    pulls_by = (Anonymous, AwsRole, Login)
    vpc_endpoints = frozenset({"logs", "secretsmanager"})
    capabilities = {
        "port": HONOURED,
        "cpu": translated("raised to the next size that Fargate sells"),
        "memory": translated("raised to the next size that Fargate sells for the vCPU"),
        "replicas": HONOURED,
        "autoscaling": translated("target tracking on the service's average CPU"),
        "health": translated("health check of the load balancer"),
        "env": HONOURED,
        "secrets": translated("Secrets Manager, read by the execution role when a copy starts"),
        "command": HONOURED,
        "path": translated("listener rule"),
        "host": translated("listener rule"),
        "public": HONOURED,
        "digest": HONOURED,
        "architecture": HONOURED,
        "user": HONOURED,
        "writable": translated(
            "an empty volume of the task; root owns it unless the image declares the path as a VOLUME of its user"
        ),
    }

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        self.options = cast(EcsFargateOptions, self.args.options)
        self._capacity: list[pulumi.Resource] = []
        if self.options.cluster:
            self._cluster = pulumi.Output.from_input(self.options.cluster)
            return {"cluster": self._cluster}
        cluster = aws.ecs.Cluster(
            "ecs-fargate",
            settings=[{"name": "containerInsights", "value": "enabled" if self.args.protect else "disabled"}],
            opts=child,
        )
        self._capacity.append(
            aws.ecs.ClusterCapacityProviders(
                "ecs-fargate",
                cluster_name=cluster.name,
                capacity_providers=["FARGATE", "FARGATE_SPOT"],
                opts=child,
            )
        )
        self._cluster = cluster.arn
        return {"cluster": self._cluster}

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        network = self.args.network
        assert network is not None
        child = pulumi.ResourceOptions(parent=self)
        task, may_start = self._task(name, service, image)
        group, rules = self._security_group(name, service, target)
        running = aws.ecs.Service(
            name,
            cluster=self._cluster,
            task_definition=task.arn,
            desired_count=service.replicas.min,
            capacity_provider_strategies=self._strategy(),
            # AWS takes another strategy only with a new deployment, which the trigger asks for then, and only then.
            force_new_deployment=True,
            triggers={"spot": str(self.options.spot)},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker={"enable": True, "rollback": True},
            wait_for_steady_state=True,
            network_configuration={
                "subnets": network.workload_subnets,
                "security_groups": [group.id],
                "assign_public_ip": network.public_ip,
            },
            load_balancers=[
                {"target_group_arn": target.group_arn, "container_name": name, "container_port": service.port}
            ]
            if target
            else None,
            health_check_grace_period_seconds=60 if target else None,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            opts=pulumi.ResourceOptions(
                parent=self,
                # The group must hang on the load balancer; roles, rules and routes must outlive the draining.
                depends_on=[
                    *([target.ready] if target else []),
                    *may_start,
                    *rules,
                    *network.ready,
                    *self._capacity,
                ],
                ignore_changes=["desiredCount"] if service.replicas.scales else None,
                custom_timeouts=MINUTES,
            ),
        )
        if service.replicas.scales:
            self._scale(name, service, running, child)
        return Workload(healthy=(running,))

    def _strategy(self) -> list[aws.ecs.ServiceCapacityProviderStrategyArgsDict]:
        """Spot has no way back to on-demand when AWS has none left, so the first copy never runs on it."""
        if not self.options.spot:
            return [{"capacity_provider": "FARGATE", "base": 1, "weight": 1}]
        return [
            {"capacity_provider": "FARGATE", "base": 1, "weight": 0},
            {"capacity_provider": "FARGATE_SPOT", "weight": 1},
        ]

    def _security_group(
        self, name: str, service: Service, target: Target | None
    ) -> tuple[aws.ec2.SecurityGroup, list[pulumi.Resource]]:
        """The copies' group and its rules: everything goes out, and only the load balancer comes in."""
        child = pulumi.ResourceOptions(parent=self)
        network = self.args.network
        assert network is not None
        group = aws.ec2.SecurityGroup(
            name, description=f"Copies of {name} on {self.key}", vpc_id=network.vpc_id, opts=child
        )
        rules: list[pulumi.Resource] = [
            aws.vpc.SecurityGroupEgressRule(
                name, security_group_id=group.id, cidr_ipv4=ANYWHERE, ip_protocol="-1", opts=child
            )
        ]
        if target:
            rules.append(
                aws.vpc.SecurityGroupIngressRule(
                    name,
                    security_group_id=group.id,
                    referenced_security_group_id=target.security_group_id,
                    ip_protocol="tcp",
                    from_port=service.port,
                    to_port=service.port,
                    opts=child,
                )
            )
        return group, rules

    def _task(self, name: str, service: Service, image: Image) -> tuple[aws.ecs.TaskDefinition, list[pulumi.Resource]]:
        """The task definition, and what must be there before (and go after) the copies."""
        vault = self.args.vault
        assert vault is not None
        child = pulumi.ResourceOptions(parent=self)
        secrets = {
            variable: vault.secret(name, variable, pulumi.Output.secret(value.get_secret_value()))
            for variable, value in sorted(service.secrets.items())
        }
        login = self._login(name, image)
        role = aws.iam.Role(f"{name}-execution", assume_role_policy=iam.trust("ecs-tasks.amazonaws.com"), opts=child)
        may_start = aws.iam.RolePolicy(
            f"{name}-execution",
            role=role.name,
            policy=iam.document(
                iam.allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    [pulumi.Output.concat(vault.log_group_arn, f":log-stream:{name}/*")],
                ),
                *iam.pulling(image.pull),
                *_reading([*[arn for arn, _ in secrets.values()], *([login] if login is not None else [])]),
            ),
            opts=child,
        )
        # What the service itself may do on AWS: nothing, until `transforms.py` gives it a policy.
        own = aws.iam.Role(f"{name}-task", assume_role_policy=iam.trust("ecs-tasks.amazonaws.com"), opts=child)
        units, memory = fargate_size(service.cpu, service.memory)
        if (units, memory) != (service.cpu * 1024, service.memory):
            pulumi.log.info(
                f"{name}: Fargate does not sell {service.cpu:g} vCPU with {service.memory} MiB;"
                f" it runs with {units / 1024:g} vCPU and {memory} MiB",
                self,
            )
        task = aws.ecs.TaskDefinition(
            name,
            family=f"{self.args.stack}-{name}",
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(units),
            memory=str(memory),
            execution_role_arn=role.arn,
            task_role_arn=own.arn,
            runtime_platform={
                "operating_system_family": "LINUX",
                "cpu_architecture": service.architecture.upper(),
            },
            volumes=[{"name": f"scratch-{index}"} for index in range(len(service.writable))],
            container_definitions=pulumi.Output.all(
                image=image.ref,
                log_group=vault.log_group,
                login=login,
                secrets={variable: reference for variable, (_, reference) in secrets.items()},
            ).apply(lambda known: json.dumps([self._container(name, service, **known)])),
            opts=child,
        )
        return task, [may_start]

    def _container(
        self, name: str, service: Service, image: str, log_group: str, login: str | None, secrets: dict[str, str]
    ) -> dict[str, Any]:
        """The definition of the service's container, when all in it is known."""
        definition = {
            "name": name,
            "image": image,
            "essential": True,
            "portMappings": [{"containerPort": service.port, "protocol": "tcp"}],
            "environment": [
                {"name": each, "value": value} for each, value in service.environment(name, self.key).items()
            ],
            "secrets": [{"name": variable, "valueFrom": reference} for variable, reference in secrets.items()],
            "readonlyRootFilesystem": True,
            "privileged": False,
            "user": str(service.user),
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
            # Fargate has no tmpfs (ECS developer guide, "Task definition differences for Fargate").
            "mountPoints": [
                {"sourceVolume": f"scratch-{index}", "containerPath": path}
                for index, path in enumerate(service.writable)
            ],
            # Longer than a target may take to finish its requests.
            "stopTimeout": DEREGISTRATION_DELAY + 30,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": log_group,
                    "awslogs-region": self.args.region,
                    "awslogs-stream-prefix": f"{name}/{self.key}",
                },
            },
        }
        if service.command:
            definition["command"] = list(service.command)
        if login:
            definition["repositoryCredentials"] = {"credentialsParameter": login}
        return definition

    def _login(self, name: str, image: Image) -> pulumi.Output[str] | None:
        """The ARN of the secret with the registry's login, where the image needs one."""
        if not isinstance(image.pull, Login):
            return None
        assert self.args.vault is not None
        login = pulumi.Output.json_dumps({"username": image.pull.username, "password": image.pull.password})
        return self.args.vault.secret(name, "registry-login", pulumi.Output.secret(login))[0]

    def _scale(self, name: str, service: Service, running: aws.ecs.Service, child: pulumi.ResourceOptions) -> None:
        cluster_name = self._cluster.apply(lambda arn: arn.rsplit("/", 1)[-1])
        target = aws.appautoscaling.Target(
            name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", cluster_name, "/", running.name),
            min_capacity=service.replicas.min,
            max_capacity=service.replicas.max,
            opts=child,
        )
        aws.appautoscaling.Policy(
            name,
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration={
                "target_value": service.replicas.cpu,
                "predefined_metric_specification": {"predefined_metric_type": "ECSServiceAverageCPUUtilization"},
            },
            opts=child,
        )


def _reading(secrets: list[pulumi.Output[str]]) -> list[iam.Statement]:
    return [iam.allow(["secretsmanager:GetSecretValue"], secrets)] if secrets else []


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
