"""What the daily verbs make of the answers of ECS, of CloudWatch and of a Docker engine."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from components.operations import Deployed, End, OperationError, aws, ecs, swarm, swarm_log
from components.operations.log_group import LogGroup
from components.operations.swarm import OnSwarm
from components.orchestrator.ecs_fargate import EcsFargateOptions
from components.orchestrator.swarm import SwarmOptions
from components.orchestrator.swarm_parts.job import once
from tests.program import DIGEST

IMAGE = f"registry.example.com/api@{DIGEST}"


def deployed(*resources: Mapping[str, Any]) -> Deployed:
    """A stack with these resources."""
    return Deployed("shop-dev", "us-east-1", None, {}, resources)


def task(**fields: Any) -> Any:
    """A task of ECS that runs, unless `fields` say otherwise."""
    containers = fields.pop("containers", [{"name": "api", "image": IMAGE}])
    details = [{"name": "privateIPv4Address", "value": "10.0.0.1"}]
    return {
        "taskArn": "arn:aws:ecs:us-east-1:1:task/shop/abc",
        "lastStatus": "RUNNING",
        "containers": containers,
        "attachments": [{"details": details}],
        **fields,
    }


def test_a_resource_is_found_by_its_parent_too() -> None:
    def made(parent: str) -> dict[str, Any]:
        return {"type": "t", "urn": "urn::api", "parent": f"urn::{parent}", "id": f"on {parent}", "outputs": {"a": 1}}

    found = deployed(made("ecs-fargate"), made("ecs-ec2"))
    assert found.outputs("t", "api", "ecs-ec2") == {"id": "on ecs-ec2", "a": 1}
    with pytest.raises(OperationError, match=r"the last `up` made no web \(t\) on ecs-ec2: `pulumi up` does"):
        found.outputs("t", "web", "ecs-ec2")


def test_a_replica_on_ecs_is_healthy_when_the_load_balancer_says_so() -> None:
    healthy = ecs._replica(task(), "api", {"10.0.0.1": {"State": "healthy"}})
    assert (healthy.name, healthy.state, healthy.healthy, healthy.digest) == ("abc", "running", True, DIGEST)
    assert ecs._replica(task(), "api", None).healthy, "a service off the load balancer"
    draining = ecs._replica(task(), "api", {"10.0.0.1": {"State": "unhealthy", "Reason": "Target.Timeout"}})
    assert draining.why == "the load balancer finds it unhealthy: Target.Timeout"
    assert not ecs._replica(task(), "api", {}).healthy
    pending = ecs._replica(task(lastStatus="PENDING", containers=[{"name": "api", "image": IMAGE}]), "api", {})
    assert (pending.state, pending.why) == ("pending", "")


@pytest.mark.parametrize(
    ("code", "reason", "unasked"),
    [
        ("EssentialContainerExited", "Essential container in task exited", True),
        ("TaskFailedToStart", "CannotPullContainerError", True),
        ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", False),
        ("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group x)", True),
        ("UserInitiated", "yard run was interrupted", False),
    ],
)
def test_what_ended_a_task_on_ecs(code: str, reason: str, unasked: bool) -> None:
    assert ecs._unasked(task(stopCode=code, stoppedReason=reason)) == unasked


class Answers:
    """An API with an answer for each action."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, action: str, **asked: Any) -> Any:
        self.asked.append((action, asked))
        return self.answers[action]

    def every(self, action: str, key: str, **asked: Any) -> Iterator[Any]:
        return iter(self(action, **asked))


def on_ecs(**answers: Any) -> tuple[ecs.OnEcs, Any]:
    """The verbs on a stack with one service, over an API with these answers."""
    urn = {"type": ecs.SERVICE, "urn": "urn::api", "parent": "urn::ecs-fargate"}
    operations = ecs.OnEcs(EcsFargateOptions(), deployed({**urn, "outputs": {"cluster": "shop", "name": "api-1"}}))
    service = {
        "clusterArn": "shop",
        "serviceArn": "arn",
        "serviceName": "api-1",
        "desiredCount": 1,
        "taskDefinition": "t",
        "capacityProviderStrategy": [],
        "networkConfiguration": {},
    }
    api = Answers(describe_services={"services": [service]}, **answers)
    operations._ecs = api  # type: ignore[assignment]
    return operations, api


def test_a_rollout_that_was_taken_back_is_told_and_goes_before_a_task_that_ended() -> None:
    reason = "ECS deployment circuit breaker: tasks failed to start."
    first = {"status": "ROLLBACK_SUCCESSFUL", "statusReason": reason, "createdAt": 2}
    older = {"status": "SUCCESSFUL", "createdAt": 1}
    ended = task(stopCode="EssentialContainerExited", stoppedReason="Essential container exited", stoppedAt=3)
    answers = {"list_tasks": ["arn"], "describe_tasks": {"tasks": [ended]}}
    operations, _ = on_ecs(list_service_deployments={"serviceDeployments": [older, first]}, **answers)
    assert operations.status("api").failure == reason
    newer = {**older, "createdAt": 3}
    operations, _ = on_ecs(list_service_deployments={"serviceDeployments": [newer, first]}, **answers)
    assert operations.status("api").failure == "Essential container exited"
    operations, _ = on_ecs(list_service_deployments={"serviceDeployments": []}, list_tasks=[])
    assert operations.status("api").failure == ""


def test_ends_on_ecs_are_those_of_the_service_itself() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    crashed = task(stopCode="EssentialContainerExited", stoppedReason="it exited", stoppedAt=since)
    others = [
        {**crashed, "stoppedAt": since - timedelta(seconds=1)},
        {**crashed, "stopCode": "SpotInterruption"},
        {**crashed, "stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity"},
    ]
    operations, _ = on_ecs(list_tasks=["arn"], describe_tasks={"tasks": [crashed, *others]})
    assert operations.ended("api", since) == [End("abc", since, "it exited")]


def test_ends_on_a_swarm_are_tasks_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(state: str, second: int) -> Any:
        at = f"2026-01-01T00:00:0{second}.123456789Z"
        return {"ID": f"{state}{second}", "Status": {"State": state, "Timestamp": at, "Err": "task: non-zero exit (2)"}}

    class Told:
        def tasks_of(self, service: str) -> list[Any]:
            return [ended("failed", 1), ended("failed", 5), ended("shutdown", 6), ended("running", 7)]

    operations = OnSwarm(SwarmOptions(), deployed())
    monkeypatch.setattr(operations, "_engine", lambda _: nullcontext((Told(), "shop-api")))
    since = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
    assert operations.ended("api", since) == [End("failed5", since, "task: non-zero exit (2)")]


def test_a_command_that_never_ran_has_a_reason_and_no_code() -> None:
    containers = [{"name": "api", "image": IMAGE, "reason": "CannotPullContainerError: denied"}]
    with pytest.raises(OperationError, match="before its command ran: Task failed to start; CannotPull"):
        ecs._exit_code(task(stoppedReason="Task failed to start", containers=containers), "api")
    assert ecs._exit_code(task(containers=[{"name": "api", "exitCode": 3}]), "api") == 3


def test_ctrl_c_before_the_answer_stops_the_task_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    operations, api = on_ecs(list_tasks=["arn"], stop_task={})

    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(operations, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(operations.run("api", ["migrate"]))
    (_, listed), (action, stopped) = api.asked[-2:]
    assert listed["startedBy"].startswith("yard-run-")
    assert (action, stopped["task"]) == ("stop_task", "arn")


def test_lines_that_come_late_are_shown_once_and_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def event(number: int, at: int, stream: str = "api/ecs-fargate/api/1") -> dict[str, Any]:
        return {"eventId": str(number), "timestamp": at, "message": f"line {number}\n", "logStreamName": stream}

    looks = [
        [event(1, 1_000_000), event(2, 1_050_000), event(9, 1_000_000, "api-v2/ecs-fargate/api-v2/1")],
        [event(2, 1_050_000), event(3, 1_030_000, "api.eks.pod"), event(4, 1_060_000)],
    ]
    starts: list[int] = []

    class Pages(Answers):
        def every(self, action: str, key: str, **asked: Any) -> Iterator[Any]:
            starts.append(asked["startTime"])
            return iter(looks.pop(0))

    group = LogGroup(deployed())
    monkeypatch.setattr(group, "_logs", Pages())
    monkeypatch.setattr("components.operations.log_group.POLL", 0)
    lines = group.lines("api", datetime.fromtimestamp(900, UTC), follow=True)
    assert [next(lines).text for _ in range(4)] == ["line 1", "line 2", "line 3", "line 4"]
    assert starts == [900_000, 1_020_000], "a batch may come half a minute late"


def test_what_aws_refuses_is_told_with_the_service_and_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def refused(self) -> None:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "Refused")

        def missing(self) -> None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "Missing")

        def get_paginator(self, action: str) -> None:
            raise NoCredentialsError

    api = aws.Api(deployed(), "ecs")
    monkeypatch.setattr(api, "_client", Client(), raising=False)
    with pytest.raises(OperationError, match=r"AWS \(ecs in us-east-1\) does not answer: .*expired"):
        api("refused")
    with pytest.raises(aws.NotThereError):
        api("missing")
    with pytest.raises(OperationError, match="Unable to locate credentials"):
        list(api.every("list_tasks", "taskArns"))


def test_a_task_that_runs_once_on_a_swarm_gets_no_calls() -> None:
    """It must not answer for the service, nor be ended by the health check of a server that it is not."""
    container = {"Image": IMAGE, "Args": ["serve"], "Env": ["A=1"], "Secrets": [{"SecretID": "s"}]}
    template = {
        "ContainerSpec": container,
        "RestartPolicy": {"Condition": "any"},
        "Networks": [{"Target": "n", "Aliases": ["api"]}],
    }
    live: dict[str, Any] = {
        "Name": "shop-dev-api",
        "Labels": {"switchyard.stack": "shop-dev"},
        "TaskTemplate": template,
        "Mode": {"Replicated": {"Replicas": 2}},
        "UpdateConfig": {"Parallelism": 1},
        "EndpointSpec": {"Ports": [{"PublishedPort": 8080}]},
    }
    job = once(live, "shop-dev-api-run-1", ["migrate"])
    assert job == {
        "Name": "shop-dev-api-run-1",
        "Labels": {"switchyard.stack": "shop-dev"},
        "TaskTemplate": {
            "ContainerSpec": {**container, "Args": ["migrate"], "Healthcheck": {"Test": ["NONE"]}},
            "RestartPolicy": {"Condition": "none"},
            "Networks": [{"Target": "n"}],
        },
        "Mode": {"Replicated": {"Replicas": 1}},
    }
    assert live["TaskTemplate"]["ContainerSpec"]["Args"] == ["serve"]


def test_a_task_that_no_node_takes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def tasks_of(self, service: str) -> list[Any]:
            return [{"Status": {"State": "pending", "Err": "no suitable node (insufficient resources on 1 node)"}}]

    engine: Any = Full()
    monkeypatch.setattr(swarm, "PATIENCE", -1)
    operations = OnSwarm(SwarmOptions(), deployed())
    with pytest.raises(
        OperationError, match=r"has found no node: .*lower the service's memory or replicas, or add a node"
    ):
        next(operations._until_over(engine, "api", "api-run-1"))


class Written:
    """An engine that has written lines, which it gives from a time on."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def service_logs(self, service: str, since: str, **how: Any) -> Iterator[bytes]:
        for line in self.lines:
            stamp, _, _ = line.partition(" ")
            if swarm_log._seconds(stamp) >= since:
                yield f"{line}\n".encode()


def test_a_log_that_grows_is_read_on_from_where_it_was() -> None:
    second = "2026-01-31T12:00:00"
    engine: Any = Written(f"{second}.1Z a", f"{second}.123456789Z b", f"{second}.123456789Z c")
    log = swarm_log.ServiceLog(engine, "api")
    assert list(log.new()) == ["a", "b", "c"]
    assert list(log.new()) == []
    engine.lines += [f"{second}.123456789Z d", "2026-01-31T12:00:01Z e f"]
    assert list(log.new()) == ["d", "e f"]
    assert list(log.new()) == []


def test_lines_of_a_swarm_have_the_time_that_the_engine_gives() -> None:
    engine: Any = Written("2026-01-31T12:00:00.123456789Z good day")
    (line,) = swarm_log.lines(engine, "api", "0", follow=False)
    assert (line.at, line.text) == (datetime(2026, 1, 31, 12, 0, 0, 123456, UTC), "good day")


def test_what_the_engine_says_itself_is_a_line_too() -> None:
    class Warning(Written):
        def service_logs(self, service: str, since: str, **how: Any) -> Iterator[bytes]:
            yield b"2026-01-31T12:00:00.5Z a\n"
            yield b"warning: incomplete log stream: task x has not been scheduled\n"

    engine: Any = Warning()
    found = list(swarm_log.lines(engine, "api", "0", follow=False))
    assert [each.text for each in found] == ["a", "warning: incomplete log stream: task x has not been scheduled"]
    assert found[0].at == found[1].at
