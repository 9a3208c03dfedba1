"""A service's jobs on ECS: EventBridge Scheduler runs one task of the service's task definition each time."""

from __future__ import annotations

import json

import pulumi

from components.aws import iam
from components.sdk import aws
from components.service import Service


def schedule(
    name: str,
    service: Service,
    cluster: pulumi.Output[str],
    role: pulumi.Output[str],
    parameters: aws.scheduler.ScheduleTargetEcsParametersArgsDict,
    opts: pulumi.ResourceOptions,
) -> None:
    """A schedule for each job. `role` is the scheduler's (ARN); `parameters` say how ECS runs a task of it."""
    for key, job in service.jobs.items():
        override = {"containerOverrides": [{"name": name, "command": list(job.command)}]}
        aws.scheduler.Schedule(
            f"{name}--{key}",
            schedule_expression=job.when.aws,
            schedule_expression_timezone=job.time_zone,
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": cluster,
                "role_arn": role,
                "input": json.dumps(override),
                "ecs_parameters": parameters,
                # RunTask that is tried again may run the job twice, and late.
                "retry_policy": {"maximum_retry_attempts": 0},
            },
            opts=opts,
        )


def runner(
    name: str, cluster: pulumi.Output[str], task: aws.ecs.TaskDefinition, opts: pulumi.ResourceOptions
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """The role by which the scheduler runs the service's tasks, and what it allows: that alone, in this cluster."""
    # The scheduler acts for every customer of AWS, so the role must say for whom (user guide, "Confused deputy
    # prevention").
    trust = cluster.apply(lambda arn: iam.trust(SCHEDULER, conditions=_equals("aws:SourceAccount", arn.split(":")[4])))
    role = aws.iam.Role(f"{name}-jobs", assume_role_policy=trust, opts=opts)
    any_task = cluster.apply(lambda arn: f"{arn.replace(':cluster/', ':task/')}/*")
    # Without the revision, so that a new one changes no policy.
    any_revision = pulumi.Output.all(cluster, task.family).apply(
        lambda known: f"{known[0].partition(':cluster/')[0]}:task-definition/{known[1]}:*"
    )
    roles = [task.execution_role_arn.apply(str), task.task_role_arn.apply(str)]
    policy = iam.document(
        iam.allow(["ecs:RunTask"], [any_revision], {"ArnEquals": {"ecs:cluster": cluster}}),
        # Asked for too where a task that starts gets tags (ECS developer guide, "Tagging authorization").
        iam.allow(["ecs:TagResource"], [any_task], _equals("ecs:CreateAction", "RunTask")),
        iam.allow(["iam:PassRole"], roles, _equals("iam:PassedToService", "ecs-tasks.amazonaws.com")),
    )
    return role, aws.iam.RolePolicy(f"{name}-jobs", role=role.name, policy=policy, opts=opts)


SCHEDULER = "scheduler.amazonaws.com"


def _equals(key: str, value: str) -> iam.Conditions:
    return {"StringEquals": {key: value}}
