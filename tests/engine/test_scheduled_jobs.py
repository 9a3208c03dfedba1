"""Jobs on the real engine: on one orchestrator of a stack alone; and what EventBridge Scheduler refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws import types
from tests.engine.account import Account, no
from tests.engine.passage import Passage, passage
from tests.program import BLOCKS, DIGEST, ROOT
from yard.switch import Switch

pytestmark = pytest.mark.engine

CRON_JOB = "kubernetes:batch/v1:CronJob"
API = {"api": {"digest": DIGEST, "jobs": {"nightly": {"command": ["sweep"], "schedule": "0 3 * * mon"}}}}


def keeping_time(stack: Passage) -> list[str]:
    """The types of what runs the jobs."""
    return [each.type for type_ in (types.SCHEDULE, CRON_JOB) for each in stack.cloud.state.every(type_)]


def test_during_a_move_they_run_on_the_stacks_own_orchestrator_alone(tmp_path: Path) -> None:
    with passage(tmp_path, services=API, more={"eks": BLOCKS["eks"]}) as stack:
        stack.up()
        assert keeping_time(stack) == [types.SCHEDULE]
        assert stack.preview() == {}
        stack.set(traffic={"ecs-fargate": 50, "eks": 50})
        stack.up()
        assert keeping_time(stack) == [types.SCHEDULE]
        switch = Switch.of(stack.stack, ROOT, lambda _: None, 60)
        switch.guard.sleep = lambda _: None
        switch.run("eks")
        assert keeping_time(stack) == [CRON_JOB]
        assert stack.preview() == {}
        stack.set(services={"api": {"digest": DIGEST}})
        stack.up()
        assert keeping_time(stack) == []


def test_a_schedule_needs_a_role_a_task_and_one_kind_of_day() -> None:
    town = Account()
    cluster = town.make(types.ECS_CLUSTER, "lab")
    trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}}
    role = town.make(types.ROLE, "jobs", assumeRolePolicy=json.dumps({"Statement": [trust]}))
    task = town.make(types.TASK_DEFINITION, "api", family="api", containerDefinitions="[]")
    target = {
        "arn": cluster.get("arn"),
        "roleArn": role.get("arn"),
        "ecsParameters": {"taskDefinitionArn": task.get("arn")},
    }

    def make(expression: str = "cron(0 3 ? * 2 *)", **other: Any) -> Any:
        return town.make(types.SCHEDULE, "nightly", scheduleExpression=expression, target={**target, **other})

    with no("ValidationException", "must allow AWS EventBridge Scheduler to assume the role"):
        make()
    trust["Principal"] = {"Service": "scheduler.amazonaws.com"}
    town.change(role, assumeRolePolicy=json.dumps({"Statement": [trust]}))
    for wrong in ("cron(0 3 * * 2 *)", "cron(0 3 ? * ? *)", "0 3 * * 1"):
        with no("ValidationException", "Invalid Schedule Expression"):
            make(wrong)
    with no("ClientException"):
        make(ecsParameters={"taskDefinitionArn": f"{task.get('arn')}0"})
    assert make().id.startswith("default/nightly-")
