"""EventBridge Scheduler: schedules that run ECS tasks."""

import re
from collections.abc import Iterator

from rehearsal.aws import types
from rehearsal.aws.making import computed
from rehearsal.aws.resource_type import Name, Ref, ResourceType, refuses
from rehearsal.state import CloudResource, CloudState

SCHEDULER = "scheduler.amazonaws.com"
OF_TASK = "target.ecsParameters"
NETWORK = f"{OF_TASK}.networkConfiguration"
SIX_FIELDS = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")


@refuses("ValidationException", "aws-sdk-js-v3 #6494")
def _wrong_trust(state: CloudState, schedule: CloudResource) -> Iterator[str]:
    role = state.find(types.ROLE, schedule.get("target.roleArn", ""))
    if role and SCHEDULER not in role.get("assumeRolePolicy", ""):
        yield f"The execution role you provide must allow AWS EventBridge Scheduler to assume the role: {role.name}"


@refuses("ValidationException", 'EventBridge Scheduler user guide, "Schedule types"; API, CreateSchedule')
def _wrong_expression(_: CloudState, schedule: CloudResource) -> Iterator[str]:
    """Of the day of the month and that of the week exactly one is `?`."""
    expression = schedule.get("scheduleExpression", "")
    fields = SIX_FIELDS.fullmatch(expression)
    if not fields or len(expression) > 256 or (fields[3], fields[5]).count("?") != 1:
        yield f"Invalid Schedule Expression {expression}."


SCHEDULE = ResourceType(
    types.SCHEDULE,
    computed(
        id="default/{name}",
        arn="arn:aws:scheduler:{region}:{account}:schedule/default/{name}",
    ),
    replace="name namePrefix groupName",
    name=Name(longest=64),
    refs=(
        Ref("target.arn", types.ECS_CLUSTER, holds=False),
        Ref("target.roleArn", types.ROLE, holds=False),
        Ref(f"{OF_TASK}.taskDefinitionArn", types.TASK_DEFINITION, holds=False),
        Ref(f"{NETWORK}.subnets", types.SUBNET, holds=False),
        Ref(f"{NETWORK}.securityGroups", types.SECURITY_GROUP, holds=False),
    ),
    creating=(_wrong_trust, _wrong_expression),
)
