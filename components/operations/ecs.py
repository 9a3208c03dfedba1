"""The daily verbs on Amazon ECS, on Fargate and on instances."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from components.aws import ecs_task
from components.operations import Deployed, End, Line, OperationError, Operations, Replica, Running
from components.operations.aws import Api
from components.operations.log_group import LogGroup
from components.orchestrator.ecs import EcsOptions

POLL = 2.0
"""Seconds between two looks at a task."""
RECENT = timedelta(days=7)
"""How old a rollout may be that is told to have failed."""
SERVICE = "aws:ecs/service:Service"
AT_ONCE = 100
"""Tasks that one request may ask about (ECS API, DescribeTasks)."""
OF_THE_MACHINE = ("SpotInterruption", "TerminationNotice", "InfrastructureHealth")
"""Codes of a task that ended for what is below it."""
UNASKED = ("TaskFailedToStart", "EssentialContainerExited", *OF_THE_MACHINE)
"""Codes of a task that ended although nobody wanted it to (ECS API, Task.stopCode)."""


class OnEcs(Operations[EcsOptions]):
    """The verbs on a stack's cluster."""

    logs_together = True

    def __init__(self, options: EcsOptions, deployed: Deployed) -> None:
        super().__init__(options, deployed)
        self._ecs, self._balancer = Api(deployed, "ecs"), Api(deployed, "elbv2")
        self._group = LogGroup(deployed)

    def status(self, service: str) -> Running:
        found = self._service(service)
        health = self._health(found)
        tasks = self._tasks(found, "RUNNING")
        return Running(found["desiredCount"], [_replica(each, service, health) for each in tasks], self._failure(found))

    def ended(self, service: str, since: datetime) -> Sequence[End]:
        stopped = self._tasks(self._service(service), "STOPPED")
        return [
            End(_last(each["taskArn"]), each["stoppedAt"], _why(each))
            for each in stopped
            if _unasked(each) and each.get("stopCode") not in OF_THE_MACHINE and each["stoppedAt"] >= since
        ]

    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        return self._group.lines(service, since, follow)

    def run(self, service: str, command: Sequence[str]) -> Generator[str | int, None, None]:
        mark = f"yard-run-{secrets.token_hex(8)}"
        found = self._service(service)
        over, task = False, ""
        try:
            task = self._start(found, service, command, mark)
            stream = self._group.stream(f"{service}/{self.options.key}/{service}/{_last(task)}")
            while not over:
                time.sleep(POLL)
                now = ecs_task.look(self._ecs, found["clusterArn"], task)
                over = now["lastStatus"] == "STOPPED"
                yield from stream.new()
            time.sleep(POLL)  # the last lines may be on their way still
            yield from stream.new()
            yield _exit_code(now, service)
        finally:
            if not over:
                self._stop(found["clusterArn"], task, mark)

    def exec(self, service: str, command: Sequence[str]) -> int:
        raise OperationError(self.options.does("exec").why)

    def _service(self, name: str) -> Any:
        made = self.deployed.outputs(SERVICE, name, self.options.key)
        answer = self._ecs("describe_services", cluster=made["cluster"], services=[made["name"]])
        if not answer["services"]:
            again = f"{self.deployed.up} --refresh"
            raise OperationError(f"ECS has no service {made['name']} any more: `{again}` makes it anew")
        return answer["services"][0]

    def _tasks(self, service: Any, status: str) -> list[Any]:
        """Its tasks that run, or that ended within the last hour."""
        of = {"cluster": service["clusterArn"]}
        by = {**of, "serviceName": service["serviceName"], "desiredStatus": status}
        arns = list(self._ecs.every("list_tasks", "taskArns", **by))
        some = [arns[start : start + AT_ONCE] for start in range(0, len(arns), AT_ONCE)]
        return [task for tasks in some for task in self._ecs("describe_tasks", **of, tasks=tasks)["tasks"]]

    def _health(self, service: Any) -> Mapping[str, Any] | None:
        """Address -> what the load balancer makes of it; None: the service is not behind it."""
        groups = [each["targetGroupArn"] for each in service.get("loadBalancers", [])]
        answers = [self._balancer("describe_target_health", TargetGroupArn=each) for each in groups]
        found = [target for answer in answers for target in answer["TargetHealthDescriptions"]]
        return {each["Target"]["Id"]: each["TargetHealth"] for each in found} if groups else None

    def _failure(self, service: Any) -> str:
        rollouts = self._ecs(
            "list_service_deployments",
            cluster=service["clusterArn"],
            service=service["serviceArn"],
            createdAt={"after": datetime.now(UTC) - RECENT},
            maxResults=AT_ONCE,
        )["serviceDeployments"]
        last: Any = max(rollouts, key=lambda each: each["createdAt"], default={})
        if last.get("status", "").startswith("ROLLBACK"):
            return str(last.get("statusReason") or "the last rollout failed")
        ended = [each for each in self._tasks(service, "STOPPED") if _unasked(each)]
        return _why(max(ended, key=lambda each: each["stoppedAt"])) if ended else ""

    def _start(self, service: Any, container: str, command: Sequence[str], mark: str) -> str:
        """Start a task as the service's are; its ARN."""
        try:
            return ecs_task.start(
                self._ecs,
                container,
                command,
                cluster=service["clusterArn"],
                taskDefinition=service["taskDefinition"],
                capacityProviderStrategy=service["capacityProviderStrategy"],
                networkConfiguration=service["networkConfiguration"],
                startedBy=mark,
            )
        except ecs_task.NotStarted as why:
            raise OperationError(f"ECS does not start the task: {why}") from why

    def _stop(self, cluster: str, task: str, mark: str) -> None:
        """Stop what `run` has started. The answer that tells its ARN may never have come: then it has its mark."""
        marked = [task] if task else self._ecs.every("list_tasks", "taskArns", cluster=cluster, startedBy=mark)
        for each in marked:
            self._ecs("stop_task", cluster=cluster, task=each, reason="yard run was interrupted")


def _replica(task: Any, service: str, health: Mapping[str, Any] | None) -> Replica:
    state = task["lastStatus"].lower()
    addresses = [
        detail["value"]
        for attachment in task.get("attachments", [])
        for detail in attachment["details"]
        if detail["name"] == "privateIPv4Address"
    ]
    target = next((health[each] for each in addresses if health and each in health), None)
    healthy = state == "running" and (health is None or (target is not None and target["State"] == "healthy"))
    why = _of_target(target) if state == "running" and health is not None else _why(task)
    return Replica(_last(task["taskArn"]), state, healthy, _digest(task, service), "" if healthy else why)


def _of_target(target: Any) -> str:
    if target is None:
        return "the load balancer does not know it yet"
    return f"the load balancer finds it {target['State']}: {target.get('Description') or target.get('Reason', '')}"


def _digest(task: Any, service: str) -> str | None:
    """Of the image as the task definition names it: what ECS tells besides may be one of several platforms'."""
    image = next((each["image"] for each in task["containers"] if each["name"] == service), "")
    return image.partition("@")[2] or None


def _unasked(task: Any) -> bool:
    """Scaling in and replacing end tasks as well, by the same code as a health check that failed."""
    return task.get("stopCode") in UNASKED or "failed" in task.get("stoppedReason", "")


def _why(task: Any) -> str:
    """What ECS tells of a task's end, or of what it waits for."""
    told = [task.get("stoppedReason", "")]
    for each in task["containers"]:
        told.append(each.get("reason", ""))
        if each.get("exitCode"):
            told.append(f"exit code {each['exitCode']}")
    return "; ".join(filter(None, told))


def _exit_code(task: Any, container: str) -> int:
    for each in task["containers"]:
        if each["name"] == container and "exitCode" in each:
            return int(each["exitCode"])
    raise OperationError(f"the task ended before its command ran: {_why(task) or 'ECS does not say why'}")


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]
