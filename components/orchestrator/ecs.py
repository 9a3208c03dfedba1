"""Amazon ECS, wherever its replicas run: the roles, the task, the service, its scaling, logs and secrets."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar

import pulumi

from components import quotas
from components.aws import iam, job, parts
from components.aws.network import Group
from components.aws.release import TAG, Releases, aws_api
from components.cost import Demand, Item, Line, Unpriced, jobs, secrets
from components.edge.alb import DEREGISTRATION_DELAY
from components.model import Contradiction
from components.needs import Existing, Need, Question, Quota
from components.orchestrator import (
    HONOURED,
    AwsOrchestrator,
    OrchestratorOptions,
    Support,
    aws_logs,
    refused,
    translated,
)
from components.pull import Anonymous, AwsRole, Login
from components.release import fingerprint
from components.sdk import aws
from components.service import EITHER_DAY, IN_ENV, IN_FILES, Service
from components.shell import command
from components.workload import Image, Target, Workload

MINUTES = pulumi.CustomTimeouts(create="15m", update="15m", delete="20m")
"""A first deployment has nothing to roll back to and would be retried for ever; this ends it, and the `up` with it."""

TMPFS = 256
"""MiB that a path in memory may hold; what is in it counts towards the replica's memory."""

CAPABILITIES: Mapping[str, Support] = {
    "port": HONOURED,
    "replicas": HONOURED,
    "autoscaling": translated("target tracking on the service's average CPU"),
    "health": translated("health check of the load balancer"),
    "env": HONOURED,
    "secrets": translated("Secrets Manager, read by the execution role when a replica starts"),
    IN_ENV: HONOURED,
    IN_FILES: refused(
        "ECS hands secrets to the environment alone: let the process read NAME, or take an orchestrator on Kubernetes"
        " or Swarm"
    ),
    "command": HONOURED,
    "release": translated("RunTask with the new task definition, before the service changes"),
    "jobs": translated("EventBridge Scheduler runs a task; one that still runs does not hold up the next"),
    EITHER_DAY: refused(
        "EventBridge Scheduler takes a day of the month or a day of the week, where a schedule with both means either:"
        " write two jobs"
    ),
    "path": translated("listener rule"),
    "host": translated("listener rule"),
    "public": HONOURED,
    "digest": HONOURED,
    "image": HONOURED,
    "architecture": HONOURED,
    "user": HONOURED,
    "permissions": translated("inline policy of the service's task role"),
}
"""What does not depend on where the replicas run."""


MAX_TASK = 64 * 1024
"""Bytes of a task definition (ECS developer guide, "Amazon ECS service quotas"), which AWS raises for nobody."""
SERVICE_ROLE = "AWSServiceRoleForECS"
"""Made once in an account (ECS developer guide, "Using service-linked roles")."""


class EcsOptions(OrchestratorOptions):
    """What all blocks for ECS have in common."""

    platform = "aws"
    target = "ip"
    aws_access = parts.ECS
    # A first deployment may take MINUTES, the old service as long to drain; the load balancer and the gate come before.
    longest_up = 2 * 60 * 60
    pulls_by = (Anonymous, AwsRole, Login)
    operated_by = "components.operations.ecs:OnEcs"
    verbs = {
        "status": HONOURED,
        "logs": translated("the stack's log group in CloudWatch: also what other orchestrators wrote there"),
        "run": translated("RunTask with the service's task definition"),
        "exec": refused(
            "ECS Exec does not work with a read-only file system (aws/containers-roadmap#1359); `yard run` runs the"
            " command beside the replicas"
        ),
    }

    def check_service(self, name: str, service: Service) -> Iterator[Contradiction]:
        variables = service.environment(name, self.key)
        said = [[{"name": key, "value": value} for key, value in variables.items()], *service.command, *service.release]
        if (size := len(json.dumps(said).encode())) > MAX_TASK:
            want = (
                f"at most {MAX_TASK} bytes with the arguments, as JSON, not {size}: ECS takes no longer task definition"
            )
            yield "env", dict(service.env), want

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        """Two roles for each service, one more for its jobs, and ECS's own."""
        yield Quota(quotas.ROLES, sum(3 if each.jobs else 2 for each in services.values()))
        make = command("aws", "iam", "create-service-linked-role", "--aws-service-name", "ecs.amazonaws.com")
        yield Existing(
            "ecs-role",
            f"role {SERVICE_ROLE}, with which ECS works in the account",
            Question("iam", "get_role", {"RoleName": SERVICE_ROLE}),
            f"{make}; AWS does it with the first cluster, and what is made at once after that may come too early",
            for_up=False,
        )

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What does not depend on where the replicas run."""
        yield Line("control plane", "ECS", demand.hours, "cluster-hour", "ecs.cluster")
        yield from secrets(demand)
        yield from jobs(demand, "; each run also is a call of EventBridge Scheduler")
        if demand.protect:
            yield Unpriced("logs", "metrics of Container Insights", "how many there are is not known")

    def logs(self, stack: str, service: str) -> str:
        return aws_logs.follow(stack, f"{service}/{self.key}")


E = TypeVar("E", bound=EcsOptions)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the replicas of a service run."""

    providers: list[aws.ecs.ServiceCapacityProviderStrategyArgsDict]
    mark: str
    """Text that changes with `providers`: AWS takes others only with a new deployment, and only this asks for one."""
    public_ip: bool
    """Whether a replica has a public address."""
    order: list[aws.ecs.ServiceOrderedPlacementStrategyArgsDict] | None = None
    """How replicas are spread over instances; None: there are none to choose from."""


class Ecs(AwsOrchestrator[E]):
    """A cluster, and for each service a task definition, two roles and a service in it."""

    compatibility: ClassVar[Literal["FARGATE", "EC2"]]
    """Where the tasks run, in ECS's words."""
    tmpfs: ClassVar[bool]
    """True: `writable` paths are in memory. False: empty volumes of the task."""

    cluster: pulumi.Output[str]
    """The cluster's ARN; `build` sets it."""
    capacity: list[pulumi.Resource]
    """What must be there before the replicas and go after them; `build` sets it."""

    @abstractmethod
    def size(self, name: str, service: Service) -> tuple[int, int]:
        """What a replica gets: (CPU units, MiB). A unit is 1/1024 vCPU."""

    @abstractmethod
    def placement(self, service: Service) -> Placement:
        """Where the service's replicas run."""

    def make_cluster(self, child: pulumi.ResourceOptions) -> aws.ecs.Cluster:
        """A cluster of our own."""
        return aws.ecs.Cluster(
            self.options.key,
            settings=[{"name": "containerInsights", "value": "enabled" if self.args.protect else "disabled"}],
            opts=child,
        )

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        task, may_start = self._task(name, service, image)
        group = self._security_group(name, service, target)
        placement = self.placement(service)
        # The group must hang on the load balancer; roles, rules and routes must outlive the draining.
        before = [*([target.ready] if target else []), *may_start, *group.ready, *self.network.ready, *self.capacity]
        running = aws.ecs.Service(
            name,
            cluster=self.cluster,
            task_definition=task.arn,
            desired_count=service.replicas.min,
            capacity_provider_strategies=placement.providers,
            ordered_placement_strategies=placement.order,
            force_new_deployment=True,
            triggers={"placement": placement.mark},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker={"enable": True, "rollback": True},
            wait_for_steady_state=True,
            network_configuration={
                "subnets": self.network.workload_subnets,
                "security_groups": [group.id],
                "assign_public_ip": placement.public_ip,
            },
            load_balancers=[{"target_group_arn": target.group, "container_name": name, "container_port": service.port}]
            if target
            else None,
            health_check_grace_period_seconds=60 if target else None,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            tags={TAG: fingerprint(service.release, image.digest)} if service.release else None,
            opts=pulumi.ResourceOptions(
                parent=self,
                hooks=self._release(name, service),
                depends_on=before,
                ignore_changes=["desiredCount"] if service.replicas.scales else None,
                custom_timeouts=MINUTES,
            ),
        )
        if service.replicas.scales:
            self._scale(name, service, running)
        self._run_jobs(name, service, task, group, running)
        return Workload(healthy=(running,))

    def _run_jobs(
        self,
        name: str,
        service: Service,
        task: aws.ecs.TaskDefinition,
        group: Group,
        running: aws.ecs.Service,
    ) -> None:
        """The schedules of the service's jobs, where its replicas run, and not before those of the same image do; none
        where they run on another orchestrator."""
        if not (service.jobs and self.args.runs_jobs):
            return
        placement = self.placement(service)
        parameters: aws.scheduler.ScheduleTargetEcsParametersArgsDict = {
            "task_definition_arn": task.arn,
            "capacity_provider_strategies": placement.providers,
            "network_configuration": {
                "subnets": self.network.workload_subnets,
                "security_groups": [group.id],
                "assign_public_ip": placement.public_ip,
            },
            "enable_ecs_managed_tags": True,
            "propagate_tags": "TASK_DEFINITION",
        }
        child = pulumi.ResourceOptions(parent=self)
        role, may_run = job.runner(name, self.cluster, task, child)
        after = pulumi.ResourceOptions(parent=self, depends_on=[running, may_run])
        job.schedule(name, service, self.cluster, role.arn, parameters, after)

    def _release(self, name: str, service: Service) -> pulumi.ResourceHookBinding | None:
        """What runs the service's release command before the service changes, where that is due."""
        if self.args.releases.get(name) != "due":
            return None
        self._releases.commands[name] = service.release
        return self._releases.binding

    @cached_property
    def _releases(self) -> Releases:
        interval = self.foundation.gate.interval
        return Releases(self.options.key, f"/{self.args.stack}", interval, aws_api(self.region, self.profile))

    def _security_group(self, name: str, service: Service, target: Target | None) -> Group:
        """The replicas' group: everything goes out, and only the load balancer comes in."""
        child = pulumi.ResourceOptions(parent=self)
        # In version 0.1.0 its name said no port.
        former = pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(name=name)])
        group = self.network.group(name, f"Copies of {name} on {self.options.key}", child)
        if target is None:
            return group
        # Another port is another rule, there before the replicas that need it; this one goes after those that need
        # this. (No service's name has two dashes in a row, so none is called like this.)
        rule, why = f"{name}--{service.port}", f"{name}, from the load balancer"
        ports = (service.port, service.port)
        opened = self.network.let_in(rule, group, target.security_group_id, why, ports, former)
        return replace(group, ready=[*group.ready, *opened])

    def _task(self, name: str, service: Service, image: Image) -> tuple[aws.ecs.TaskDefinition, list[pulumi.Resource]]:
        """The task definition, and what must be there before (and go after) the replicas."""
        child = pulumi.ResourceOptions(parent=self)
        secrets = {
            variable: self.vault.secret(name, variable, pulumi.Output.secret(value.get_secret_value()))
            for variable, value in sorted(service.secrets.items())
        }
        login = self._login(name, image)
        read = [*[arn for arn, _ in secrets.values()], *([login] if login is not None else [])]
        role, may_start = self._execution_role(name, image, read)
        # What the service itself may do on AWS: nothing, unless it asks.
        own = aws.iam.Role(f"{name}-task", assume_role_policy=iam.trust("ecs-tasks.amazonaws.com"), opts=child)
        units, memory = self.size(name, service)
        task = aws.ecs.TaskDefinition(
            name,
            family=f"{self.args.stack}-{name}",
            requires_compatibilities=[self.compatibility],
            network_mode="awsvpc",
            cpu=str(units),
            memory=str(memory),
            execution_role_arn=role.arn,
            task_role_arn=own.arn,
            runtime_platform={
                "operating_system_family": "LINUX",
                "cpu_architecture": service.architecture.upper(),
            },
            volumes=[{"name": volume} for volume in self._volumes(service)],
            container_definitions=pulumi.Output.all(
                image=image.ref,
                log_group=self.vault.log_group,
                login=login,
                secrets={variable: reference for variable, (_, reference) in secrets.items()},
            ).apply(lambda known: json.dumps([self._container(name, service, **known)])),
            opts=child,
        )
        return task, [may_start, *iam.permitted(f"{name}-task", own, service.permissions, child)]

    def _execution_role(
        self, name: str, image: Image, secrets: list[pulumi.Output[str]]
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        """The role by which ECS starts the replicas, and what it allows: to pull, to log and to read these secrets."""
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(f"{name}-execution", assume_role_policy=iam.trust("ecs-tasks.amazonaws.com"), opts=child)
        may_start = aws.iam.RolePolicy(
            f"{name}-execution",
            role=role.name,
            policy=iam.document(
                iam.allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    [pulumi.Output.concat(self.vault.log_group_arn, f":log-stream:{name}/*")],
                ),
                *iam.pulling(image.pull),
                *self._reading(secrets),
            ),
            opts=child,
        )
        return role, may_start

    def _reading(self, secrets: list[pulumi.Output[str]]) -> list[iam.Statement]:
        if not secrets:
            return []
        return [iam.allow(["secretsmanager:GetSecretValue"], secrets), *self.vault.decrypting]

    def _container(
        self, name: str, service: Service, image: str, log_group: str, login: str | None, secrets: dict[str, str]
    ) -> dict[str, Any]:
        """The definition of the service's container, when all in it is known."""
        definition: dict[str, Any] = {
            "name": name,
            "image": image,
            "essential": True,
            "portMappings": [{"containerPort": service.port, "protocol": "tcp"}],
            "environment": [
                {"name": each, "value": value} for each, value in service.environment(name, self.options.key).items()
            ],
            "secrets": [{"name": variable, "valueFrom": reference} for variable, reference in secrets.items()],
            "readonlyRootFilesystem": True,
            "privileged": False,
            "user": str(service.user),
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
            "mountPoints": [
                {"sourceVolume": volume, "containerPath": path} for volume, path in self._volumes(service).items()
            ],
            # Longer than a target may take to finish its requests.
            "stopTimeout": DEREGISTRATION_DELAY + 30,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": log_group,
                    "awslogs-region": self.region,
                    "awslogs-stream-prefix": f"{name}/{self.options.key}",
                },
            },
        }
        if self.tmpfs and service.writable:
            definition["linuxParameters"]["tmpfs"] = [
                {"containerPath": path, "size": TMPFS, "mountOptions": ["noexec", "nosuid", "nodev"]}
                for path in service.writable
            ]
        if service.command:
            definition["command"] = list(service.command)
        if login:
            definition["repositoryCredentials"] = {"credentialsParameter": login}
        return definition

    def _volumes(self, service: Service) -> dict[str, str]:
        """Volume -> the path where it is mounted."""
        return {} if self.tmpfs else {f"scratch-{index}": path for index, path in enumerate(service.writable)}

    def _login(self, name: str, image: Image) -> pulumi.Output[str] | None:
        """The ARN of the secret with the registry's login, where the image needs one."""
        if not isinstance(image.pull, Login):
            return None
        login = pulumi.Output.json_dumps({"username": image.pull.username, "password": image.pull.password})
        return self.vault.secret(name, "registry-login", pulumi.Output.secret(login))[0]

    def _scale(self, name: str, service: Service, running: aws.ecs.Service) -> None:
        child = pulumi.ResourceOptions(parent=self)
        cluster_name = self.cluster.apply(lambda arn: arn.rsplit("/", 1)[-1])
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
